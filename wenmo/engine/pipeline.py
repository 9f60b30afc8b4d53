"""Encoding, computing and decoding a list of items, window by window."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from wenmo.engine.loading import LoadedModel, Models
from wenmo.errors import ForwardError
from wenmo.tasks import encode
from wenmo.types import TaskName

if TYPE_CHECKING:
    from wenmo.tokenizer import Encoding

T = TypeVar("T")
R = TypeVar("R")
OnProgress = Callable[[int, int], None]  # (items done, items in all)

# Encodings in memory at once: enough for sorting by length, and a bound on the memory that a long list takes.
_WINDOW_ENCODINGS = 4096


def run_pipeline(
    models: Models,
    task: TaskName,
    items: list[T],
    encode: Callable[[LoadedModel, list[T]], list[Encoding]],
    decode: Callable[[LoadedModel, np.ndarray, list[Encoding]], Sequence[R]],
    *,
    encodings_each: int = 1,
    vectors: bool = False,
    progress: OnProgress | None,
) -> list[R]:
    """`encode` the items, compute their logits (or `vectors`), `decode` these; results are in the order of the items.

    The next window is encoded while the runtime computes the current one. Each item has `encodings_each` consecutive
    encodings. Raises ForwardError, with the results of all other items, when some cannot be computed.
    """
    if not items:
        return []
    from wenmo.inference.runtime import PartialOutputError

    model = models.get(task)
    runtime = model.bulk if len(items) * encodings_each >= _WINDOW_ENCODINGS else model.runtime
    forward = runtime.vectors if vectors else runtime.logits
    results: list[R | None] = []
    failed: dict[int, str] = {}
    cause: Exception | None = None
    done = 0

    def on_batch(encodings: int) -> None:
        nonlocal done
        done += encodings
        if progress is not None:
            progress(done // encodings_each, len(items))

    windows = _windows(items, encodings_each=encodings_each)
    with closing(_prefetch(partial(encode, model), windows)) as encoded:
        for encodings in encoded:
            lost: set[int] = set()
            try:
                output = forward(encodings, on_batch=on_batch)
            except PartialOutputError as failure:
                output = failure.output
                for index, error in failure.failed.items():
                    cause = error
                    lost.add(index // encodings_each)
                    why = str(error).partition("\n")[0] or type(error).__name__
                    failed[len(results) + index // encodings_each] = why
            decoded = decode(model, output, encodings)
            results += [None if index in lost else result for index, result in enumerate(decoded)]
    if failed:
        raise ForwardError(failed, results) from cause
    return cast("list[R]", results)


def embed(
    models: Models, texts: list[str], *, prompt_name: str | None = None, progress: OnProgress | None = None
) -> np.ndarray:
    """(N, V) float32; see `Engine.embed`."""
    encode = partial(encode_for_vectors, prompt_name=prompt_name)
    vectors = run_pipeline(models, "embedding", texts, encode, rows, vectors=True, progress=progress)
    if not vectors:
        return np.empty((0, models.get("embedding").info.vector_size), dtype=np.float32)
    return np.stack(vectors)


def encode_for_vectors(model: LoadedModel, texts: list[str], *, prompt_name: str | None = None) -> list[Encoding]:
    """The encodings of `texts` behind one of the model's prompts, see `ModelInfo.prompt`."""
    prompt = model.info.prompt(prompt_name)
    return encode_texts(model, [prompt + text for text in texts] if prompt else texts)


def encode_texts(model: LoadedModel, texts: list[str]) -> list[Encoding]:
    return encode.encode_texts(model.tokenizer, texts, max_length=model.info.max_length)


def encode_pairs(model: LoadedModel, pairs: list[tuple[str, str]]) -> list[Encoding]:
    return encode.encode_pairs(model.tokenizer, pairs, max_length=model.info.max_length)


def rows(_: LoadedModel, output: np.ndarray, __: list[Encoding]) -> list[np.ndarray]:
    """`decode` for callers that want each encoding's logits or vector unchanged."""
    return list(output)


def _windows(items: list[T], *, encodings_each: int) -> Iterator[list[T]]:
    """Slices of `items` with at most _WINDOW_ENCODINGS encodings, or a single item."""
    size = max(1, _WINDOW_ENCODINGS // encodings_each)
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _prefetch(work: Callable[[T], R], items: Iterator[T]) -> Generator[R]:
    """`work(item)` for each item, in order, one item ahead of the caller in another thread."""
    current, following = next(items), next(items, None)
    if following is None:  # as in most calls, which need no thread
        yield work(current)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="wenmo-prefetch") as executor:
        upcoming = executor.submit(work, current)
        while following is not None:
            result = upcoming.result()
            upcoming = executor.submit(work, following)
            following = next(items, None)
            yield result
        yield upcoming.result()
