"""Search, near-duplicates and groups: vectors choose, and for a search the cross-encoder judges what they chose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from wenmo.engine.loading import Models
from wenmo.engine.pipeline import OnProgress, embed
from wenmo.errors import ForwardError, InputError
from wenmo.search.index import Index
from wenmo.search.leaders import by_density, follow
from wenmo.tables.cells import is_blank
from wenmo.tasks.embedding import normalized
from wenmo.types import Duplicates, Hit, SimilarityResult, TextGroup

if TYPE_CHECKING:
    Judge = Callable[..., list[SimilarityResult]]  # Engine.similarity

_WINDOW = 4_096  # queries whose vectors and pairs are in memory at a time


def build_index(models: Models, texts: list[str], *, progress: OnProgress | None) -> Index:
    """See `Engine.build_index`."""
    vectors = unit_vectors(models, texts, progress=progress)
    index = Index(model=models.get("embedding").info.digest, hidden_size=vectors.shape[1])
    index.add(texts, vectors)
    return index


def extend_index(models: Models, index: Index, texts: list[str], *, progress: OnProgress | None) -> None:
    """See `Engine.extend_index`."""
    check_index(models, index)
    if texts:
        index.add(texts, unit_vectors(models, texts, progress=progress))


def check_index(models: Models, index: Index) -> None:
    """Raises InputError for an index of another model than the one in use."""
    model = models.get("embedding")
    if index.model != model.info.digest:
        raise InputError(
            f"The index was made with another embedding model than {model.info.name}, and its vectors cannot be "
            "compared with those of this one. Use the model that made it, or make the index anew.",
            f"索引由另一个向量模型建立，不是 {model.info.name}，两者的向量不能相互比较。"
            "请使用建立它的模型，或重新建立索引。",
        )


def unit_vectors(models: Models, texts: list[str], *, progress: OnProgress | None) -> np.ndarray:
    """(N, H) float32: the vectors of `texts`, of length 1; zeros for blank texts, which say nothing."""
    filled = [index for index, text in enumerate(texts) if not is_blank(text)]
    try:
        found = embed(models, [texts[index] for index in filled], progress=progress)
    except ForwardError as failure:
        failed = {filled[index]: why for index, why in failure.failed.items()}
        raise ForwardError(failed, [None if index in failed else texts[index] for index in range(len(texts))]) from None
    vectors = np.zeros((len(texts), found.shape[1]), dtype=np.float32)
    vectors[filled] = normalized(found)
    return vectors


def search(
    models: Models,
    judge: Judge,
    queries: list[str],
    corpus: list[str] | Index,
    *,
    top_k: int,
    rerank: int,
    progress: OnProgress | None,
) -> list[list[Hit]]:
    """See `Engine.search`."""
    _check_count("top_k", top_k, 1)
    _check_count("rerank", rerank, 0)
    fresh = [] if isinstance(corpus, Index) else corpus
    most = len(corpus)
    each = 1 + min(max(top_k, rerank), most) * bool(rerank)  # forwards of a query
    total = len(fresh) + len(queries) * each

    def passed(before: int, scale: int = 1) -> OnProgress | None:
        return None if progress is None else lambda done, _: progress(before + done * scale, total)

    if isinstance(corpus, Index):
        check_index(models, corpus)
        index = corpus
    else:
        index = build_index(models, fresh, progress=passed(0))
    results: list[list[Hit] | None] = []
    failed: dict[int, str] = {}
    for start in range(0, len(queries), _WINDOW):
        window = queries[start : start + _WINDOW]
        done = len(fresh) + start * each
        hits, lost = _candidates(models, window, index, max(top_k, rerank), progress=passed(done))
        if rerank:
            lost |= _judge(judge, window, hits, index, progress=passed(done + len(window)))
        failed |= {start + position: why for position, why in lost.items()}
        results += [None if position in lost else found[:top_k] for position, found in enumerate(hits)]
    if progress is not None and queries:
        progress(total, total)
    if failed:
        raise ForwardError(failed, results)
    return cast("list[list[Hit]]", results)


def _candidates(
    models: Models, queries: list[str], index: Index, count: int, *, progress: OnProgress | None
) -> tuple[list[list[Hit]], dict[int, str]]:
    """What is nearest to each query by its vector, and why queries could not be computed, by their position."""
    lost: dict[int, str] = {}
    hits: list[list[Hit]] = [[] for _ in queries]
    asked = [position for position, query in enumerate(queries) if not is_blank(query)]
    try:
        vectors: Sequence[np.ndarray | None] = list(embed(models, [queries[at] for at in asked], progress=progress))
    except ForwardError as failure:
        lost = {asked[at]: why for at, why in failure.failed.items()}
        vectors = failure.results
        asked = [position for position in asked if position not in lost]
    known = [vector for vector in vectors if vector is not None]
    if known and len(index):
        for position, indices, cosines in zip(asked, *index.nearest(normalized(np.stack(known)), count), strict=True):
            hits[position] = [
                Hit(index=at, cosine=round(cosine, 6))
                for at, cosine in zip(indices.tolist(), cosines.tolist(), strict=True)
                if at >= 0
            ]
    return hits, lost


def _judge(
    judge: Judge, queries: list[str], hits: list[list[Hit]], index: Index, *, progress: OnProgress | None
) -> dict[int, str]:
    """Give each hit its probability, and sort the hits of a query by it; returns why queries could not be computed."""
    pairs = [(query, index.texts[hit.index]) for query, found in zip(queries, hits, strict=True) for hit in found]
    owners = [position for position, found in enumerate(hits) for _ in found]
    lost: dict[int, str] = {}
    judged: Sequence[SimilarityResult | None]
    try:
        judged = judge(pairs, progress=progress)
    except ForwardError as failure:
        judged = failure.results
        lost = {owners[at]: why for at, why in failure.failed.items()}
    remaining = iter(judged)
    for position, found in enumerate(hits):
        answered = [
            Hit(index=hit.index, cosine=hit.cosine, similarity=result.similarity, truncated=result.truncated)
            for hit in found
            if (result := next(remaining)) is not None
        ]
        hits[position] = sorted(answered, key=lambda hit: (-(hit.similarity or 0.0), -hit.cosine, hit.index))
    return lost


def deduplicate(
    models: Models, texts: list[str] | Index, threshold: float, *, progress: OnProgress | None
) -> Duplicates:
    """See `Engine.deduplicate`."""
    check_threshold(threshold)
    rows = len(texts)
    leader, cosine = _compared(models, texts, threshold, passes=1, progress=progress)
    return Duplicates(
        kept=tuple(index for index in range(rows) if leader[index] == index),
        duplicate_of=tuple(None if of == index else of for index, of in enumerate(leader.tolist())),
        cosines=tuple(
            None if of == index else round(value, 6)
            for index, (of, value) in enumerate(zip(leader.tolist(), cosine.tolist(), strict=True))
        ),
    )


def group(
    models: Models, texts: list[str] | Index, threshold: float, *, smallest: int, progress: OnProgress | None
) -> list[TextGroup]:
    """See `Engine.group`."""
    check_threshold(threshold)
    _check_count("smallest", smallest, 1)
    leader, cosine = _compared(models, texts, threshold, passes=2, progress=progress)
    return groups_of(leader, cosine, smallest=smallest)


def groups_of(leader: np.ndarray, cosine: np.ndarray, *, smallest: int) -> list[TextGroup]:
    """The groups of at least `smallest` members, the largest first, in which each of N rows follows its leader."""
    own = leader == np.arange(len(leader))
    order = np.lexsort((np.arange(len(leader)), -cosine, ~own, leader))  # by leader, itself first, then the nearest
    edges = [*np.flatnonzero(np.diff(leader[order], prepend=-1)).tolist(), len(order)] if len(order) else [0]
    groups = [
        TextGroup(
            representative=int(order[start]),
            members=tuple(order[start:end].tolist()),
            cosines=tuple(round(value, 6) for value in cosine[order[start:end]].tolist()),
        )
        for start, end in pairwise(edges)
        if end - start >= smallest
    ]
    return sorted(groups, key=lambda each: (-len(each.members), each.representative))


def _compared(
    models: Models, texts: list[str] | Index, threshold: float, *, passes: int, progress: OnProgress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Whom each text follows, and how near it is; with two passes the densest lead, else the first."""
    if isinstance(texts, Index):
        check_index(models, texts)
        done, total, vectors = 0, len(texts) * passes, texts.vectors
    else:
        done, total = len(texts), len(texts) * (1 + passes)
        vectors = unit_vectors(
            models, texts, progress=None if progress is None else lambda done, _: progress(done, total)
        )

    def on_rows(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(done, total)

    order = by_density(vectors, threshold, on_rows=on_rows) if passes == 2 else None
    return follow(vectors, threshold, order=order, on_rows=on_rows)


def check_threshold(threshold: float) -> None:
    """Raises InputError for a threshold that no cosine can be compared with."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 < threshold <= 1:
        raise InputError(
            f"The threshold {threshold!r} is not above 0 and at most 1. It is the cosine from which on two texts "
            "belong together: 0.9 for near-duplicates.",
            f"阈值 {threshold!r} 不在 0 到 1 之间（不含 0）。它是两条文本算作同类的余弦下限：近似重复可用 0.9。",
        )


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(
            f"{name} is {value!r}; it must be a whole number of at least {least}.",
            f"{name} 为 {value!r}，应为不小于 {least} 的整数。",
        )
