"""A user's file: what is a label, which rows count, and that no row is both learnt and asked about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from wenmo.errors import InputError
from wenmo.evaluation.labelled import Columns, guess_columns, labelled_rows, read_rows
from wenmo.evaluation.split import split_rows


def _moods(count: int, *, label: tuple[str, str] = ("0", "1")) -> list[tuple[str, ...]]:
    return [(f"第{number}条评论", label[number % 2]) for number in range(count)]


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("sentiment", ("负面", "正面")),
        ("sentiment", ("Negative", "POSITIVE")),
        ("sentiment", ("差评", "好评")),
        ("similarity", ("不相似", "相似")),
        ("similarity", ("0", "1")),
        ("similarity", ("False", "True")),  # as JSON has them
    ],
)
def test_labels_by_number_or_by_word(task: str, words: tuple[str, str]) -> None:
    cells = [(*([text] if task == "sentiment" else [text, "另一句"]), label) for text, label in _moods(20, label=words)]
    rows = labelled_rows(cells, task)  # type: ignore[arg-type]
    assert rows.label.tolist() == [0, 1] * 10
    assert rows.meanings == {words[0]: (10, 0), words[1]: (10, 1)}


@pytest.mark.parametrize(
    "cell",
    ['["{}"]', '[["{}"]]', '{{"choices": ["{}"]}}', "\"['{}']\"", '"{}"'],
    ids=["list", "nested", "choices", "text", "plain"],
)
def test_the_one_label_of_a_list_is_the_label(tmp_path: Path, cell: str) -> None:
    """As doccano and label-studio write it, and pandas after them."""
    path = tmp_path / "rows.jsonl"
    lines = [f'{{"text": "第{n}条", "label": {cell.format(("物流", "质量")[n % 2])}}}\n' for n in range(24)]
    path.write_text("".join(lines), encoding="utf-8")
    assert read_rows(path, "zero_shot").names == ("物流", "质量")


@pytest.mark.parametrize("cell", ['["物流", "质量"]', '{"choices": ["物流", "质量"]}', "\"['物流', '质量']\""])
def test_several_labels_of_a_row_are_refused_by_name(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "快", "label": ["物流"]}}\n{{"text": "慢", "label": {cell}}}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"rows.jsonl, row 2: .*several labels \(物流, 质量\)"):
        read_rows(path, "zero_shot")


def test_a_row_with_an_empty_list_or_a_blank_text_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [f'{{"text": "第{n}条", "label": ["{n % 2}"]}}\n' for n in range(24)]
    odd = ['{"text": "好", "label": []}\n', '{"text": "\\u200b", "label": ["1"]}\n']
    path.write_text("".join([*lines, *odd]), encoding="utf-8")
    assert (len(rows := read_rows(path, "sentiment")), rows.skipped) == (24, 2)


def test_a_label_of_unknown_meaning_is_named() -> None:
    with pytest.raises(InputError, match=r"'五星'.*差评") as caught:
        labelled_rows([*_moods(20), ("还行", "五星")], "sentiment")
    assert "五星" in caught.value.zh


def test_one_label_and_too_few_rows_are_told_with_numbers() -> None:
    with pytest.raises(InputError, match="one label"):
        labelled_rows(_moods(40, label=("1", "1")), "sentiment")
    with pytest.raises(InputError, match=r"18 distinct rows.*20 rows are needed"):
        labelled_rows(_moods(18), "sentiment")
    with pytest.raises(InputError, match=r"rarest label \(正面\) has 3"):
        labelled_rows([*_moods(40, label=("0", "0")), ("甲", "1"), ("乙", "1"), ("丙", "1")], "sentiment")
    with pytest.raises(InputError, match=r"0 distinct rows|one label"):
        labelled_rows([], "zero_shot")


def test_rows_that_say_the_same_count_once_or_not_at_all() -> None:
    """Else a row could be learnt and asked about, or taught as both labels."""
    cells = [*_moods(20), ("第 0 条评论", "0"), ("好店", "1"), ("好 店", "0"), ("", "1"), ("没有标签", "")]
    rows = labelled_rows(cells, "sentiment")
    assert (len(rows), rows.repeated, rows.contradicting, rows.skipped) == (20, 1, 2, 2)
    pairs = [(f"问{number}", "答", str(number % 2)) for number in range(20)]
    assert labelled_rows([*pairs, ("答", "问3", "1")], "similarity").repeated == 1  # turned round


def test_columns_are_guessed_by_name_then_by_place() -> None:
    assert guess_columns(["编号", "评论", "情感"], "sentiment") == Columns(text="评论", label="情感")
    assert guess_columns(["Label", "Content"], "sentiment") == Columns(text="Content", label="Label")
    assert guess_columns(["a", "b", "c"], "similarity") == Columns(text_a="a", text_b="b", label="c")
    assert guess_columns(["sentence1", "sentence2", "score"], "similarity") == Columns(
        text_a="sentence1", text_b="sentence2", label="score"
    )


def test_files_are_read_as_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"t": "句{n}", "y": {n % 2}}}\n' for n in range(24)), encoding="utf-8")
    rows = read_rows(path, "sentiment", Columns(text="t", label="y"))
    assert len(rows) == 24 and rows.inputs[:2] == ["句0", "句1"]
    with pytest.raises(InputError, match="lacks the columns label; it has t, y"):
        read_rows(path, "sentiment", Columns(text="t"))
    with pytest.raises(InputError, match="twice"):
        read_rows(path, "sentiment", Columns(text="t", label="t"))
    torn = tmp_path / "torn.csv"
    torn.write_text("text,label\n好,吃,1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"row 1: .*double quotes"):
        read_rows(torn, "sentiment")


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("counts", [(4, 16), (30, 30), (12, 8, 4), (3_000, 9_000)])
def test_every_label_is_in_every_part_and_no_row_in_two(counts: tuple[int, ...], seed: int) -> None:
    label = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    split = split_rows(label, seed=seed)
    parts = [split.train, split.dev, split.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(label)))
    for part in parts:
        assert set(label[part].tolist()) == set(range(len(counts)))
    assert len(split.dev) <= 502 and len(split.test) <= 1_002  # answering takes time, and these are enough
    again = split_rows(label, seed=seed)
    assert np.array_equal(split.test, again.test)


def test_the_sample_of_the_page_can_be_learnt_from() -> None:
    rows = read_rows(ROOT / "assets" / "samples" / "adapt-sentiment.csv", "sentiment")
    assert len(rows) == 60 and rows.skipped == rows.repeated == rows.contradicting == 0
