"""What jobs with sentence vectors do with a chunk: embed its texts, or match them with a corpus.

As `chunk.run_chunk`: each row gets its results or the reason why it has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from wenmo.errors import ForwardError, InputError, WenmoError
from wenmo.jobs.chunk import ChunkResults, not_computed, read_inputs
from wenmo.jobs.options import RunOptions, RunSpec
from wenmo.jobs.result_columns import error_row
from wenmo.search import Index
from wenmo.tables.table import Chunk, Row
from wenmo.tasks.embedding import normalized
from wenmo.types import Hit

if TYPE_CHECKING:
    from wenmo.engine import Engine

MATCHED, UNMATCHED = "matched", "unmatched"  # in the summary of a job


@dataclass(frozen=True, kw_only=True)
class VectorOptions(RunOptions):
    """Options of jobs with vectors, beside those of all.

    `threshold`: for near-duplicates, the least cosine; for a match, the least probability, or cosine without `rerank`
    (None: 0.5, or none without `rerank`). `answer_text` is the column of the texts to match with, `rerank` and `top_k`
    are those of `Engine.search`.
    """

    threshold: float | None = None
    answer_text: str = "text"
    top_k: int = 1
    rerank: int = 10


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What rows are matched with: the index, its rows, and the names that their columns have in the output."""

    index: Index
    rows: Sequence[Row]
    names: Mapping[str, str]


def embed_chunk(
    engine: Engine,
    spec: RunSpec,
    chunk: Chunk,
    columns: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ChunkResults:
    """The vector of each row's text, of length 1, as `embedding`."""

    def call(texts: list[str]) -> Sequence[np.ndarray | WenmoError]:
        try:
            return list(normalized(engine.embed(texts, progress=progress)))
        except ForwardError as error:
            return [
                not_computed(error.failed[index]) if vector is None else normalized(vector)
                for index, vector in enumerate(error.results)
            ]

    def row(vector: np.ndarray) -> tuple[Row, str, float]:
        return {f"{spec.prefix}embedding": vector.astype(np.float64).round(7).tolist()}, "embedded", 0.0

    return _results(spec, read_inputs(chunk, columns), call, row)


def match_chunk(
    engine: Engine,
    spec: RunSpec,
    chunk: Chunk,
    columns: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ChunkResults:
    """The best match of each row in `spec.corpus`, with the columns of its row, and the next best ones."""
    options, corpus = cast(VectorOptions, spec.options), cast(Corpus, spec.corpus)
    threshold = match_threshold(options)

    def call(texts: list[str]) -> Sequence[list[Hit] | WenmoError]:
        try:
            return engine.search(
                texts, corpus.index, top_k=options.top_k, rerank=options.rerank, progress=_in_rows(progress, len(texts))
            )
        except ForwardError as error:
            return [
                not_computed(error.failed[index]) if hits is None else hits for index, hits in enumerate(error.results)
            ]

    def row(hits: list[Hit]) -> tuple[Row, str, float]:
        best = hits[0] if hits else None
        score = None if best is None else best.cosine if best.similarity is None else best.similarity
        matched = best is not None and score is not None and (threshold is None or score >= threshold)
        found: Row = {"matched": matched}
        if best is not None:
            found |= {"similarity": best.similarity, "cosine": best.cosine}
        if options.top_k > 1:
            found["alternatives"] = [_alternative(hit, corpus) for hit in hits[1 if matched else 0 :]]
        result = {spec.prefix + name: value for name, value in found.items()}
        if matched and best is not None:
            answer = corpus.rows[best.index]
            result[f"{spec.prefix}matched_row"] = best.index + 1
            result |= {name: answer.get(column) for column, name in corpus.names.items()}
        return result, MATCHED if matched else UNMATCHED, score or 0.0

    return _results(spec, read_inputs(chunk, columns), call, row)


def match_threshold(options: VectorOptions) -> float | None:
    """The least score of a match; None where any will do."""
    return 0.5 if options.threshold is None and options.rerank else options.threshold


VECTOR_CHUNKS: Mapping[str, Callable[..., ChunkResults]] = {
    "embed": embed_chunk,
    "dedupe": embed_chunk,  # what is near to what is found when all vectors are there
    "match": match_chunk,
}


def _alternative(hit: Hit, corpus: Corpus) -> Row:
    text = corpus.index.texts[hit.index]
    return {"row": hit.index + 1, "text": text, "similarity": hit.similarity, "cosine": hit.cosine}


def _in_rows(progress: Callable[[int, int], None] | None, rows: int) -> Callable[[int, int], None] | None:
    """`progress` of a search, which counts forwards, as one that counts rows."""
    return None if progress is None else lambda done, of: progress(rows * done // of, rows)


def _results(
    spec: RunSpec,
    inputs: Sequence[tuple[str, ...] | InputError],
    call: Callable[[list[str]], Sequence[Any]],
    row: Callable[[Any], tuple[Row, str, float]],
) -> ChunkResults:
    """`call` for the texts of all rows that have one, and `row` for what it answers about each."""
    answers = iter(call([texts[0] for texts in inputs if isinstance(texts, tuple)]))
    rows: list[Row] = []
    errors: dict[int, str] = {}
    counts: dict[str, int] = {}
    scores: list[float] = []
    for index, texts in enumerate(inputs):
        answer = next(answers) if isinstance(texts, tuple) else texts
        if isinstance(answer, WenmoError):
            errors[index] = answer.text(spec.options.language)
            rows.append(error_row(errors[index], spec.prefix))
            continue
        result, label, score = row(answer)
        rows.append(result)
        counts[label] = counts.get(label, 0) + 1
        scores.append(score)
    return ChunkResults(rows=rows, errors=errors, label_counts=counts, score_sum=math.fsum(scores))
