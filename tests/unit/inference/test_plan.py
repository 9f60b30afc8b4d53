from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wenmo.inference.plan import plan_batches


@given(st.lists(st.integers(1, 512), max_size=200), st.integers(1, 4096))
def test_every_input_once_and_within_the_budget(lengths: list[int], max_tokens: int) -> None:
    batches = list(plan_batches(lengths, max_tokens=lambda: max_tokens))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert sum(lengths[index] for index in batch) <= max_tokens or len(batch) == 1
    ordered = [lengths[index] for batch in batches for index in batch]
    assert ordered == sorted(ordered)  # attention processes runs of equal length


def test_by_hand() -> None:
    assert list(plan_batches([5, 1, 4, 1], max_tokens=lambda: 8)) == [[1, 3, 2], [0]]
    assert list(plan_batches([], max_tokens=lambda: 8)) == []


def test_the_budget_is_asked_for_every_batch() -> None:
    budgets = iter([2, 8, 1])
    assert list(plan_batches([2, 2, 2, 2, 2, 2], max_tokens=lambda: next(budgets))) == [[0], [1, 2, 3, 4], [5]]


@given(st.lists(st.integers(1, 512), max_size=200), st.integers(1, 4096))
def test_padding_counts_where_there_is_any(lengths: list[int], max_tokens: int) -> None:
    batches = list(plan_batches(lengths, max_tokens=lambda: max_tokens, padded=True))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[index] for index in batch) <= max_tokens or len(batch) == 1
    for batch, following in pairwise(batches):  # as many as fit
        assert (len(batch) + 1) * lengths[following[0]] > max_tokens
