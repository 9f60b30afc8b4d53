"""Every error that wenmo raises on purpose; all are subclasses of WenmoError.

Each message says what is wrong, why, and how to fix it, in English and in Chinese. `str(error)` is the English text,
`error.text("zh")` the Chinese one. Any other exception that leaves wenmo is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

Language = Literal["zh", "en"]


class WenmoError(Exception):
    """Base class of all of them."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def text(self, language: Language) -> str:
        """The message in the reader's language."""
        return self.zh if language == "zh" else self.en

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.en, self.zh)  # pickling keeps both texts


class InputError(WenmoError, ValueError):
    """The caller passed something invalid: a text, labels, a template, a file, a column, an option."""


class CheckpointError(WenmoError):
    """A model folder is incomplete, damaged, or not a model of the wanted kind."""


class ModelNotFoundError(WenmoError):
    """A name is neither that of a bundled or local model, nor a folder, nor a hub id."""


class DownloadError(WenmoError):
    """The hub could not be reached, or a download did not complete."""


class DeviceError(WenmoError):
    """This machine does not have the device or precision."""


class ForwardError(WenmoError):
    """The model could not compute some inputs, for example because memory ran out.

    `failed` maps the index of each failed input to the reason. `results` has one result per input, in order, None for
    the failed ones.
    """

    def __init__(self, failed: Mapping[int, str], results: Sequence[Any]) -> None:
        first = min(failed)
        super().__init__(
            f"{len(failed):,} of {len(results):,} inputs could not be computed, the first of them number {first + 1:,}:"
            f" {failed[first]}. The others were. Shorten these inputs, or free memory, and run them again.",
            f"{len(results):,} 条输入中有 {len(failed):,} 条无法计算，其中第一条为第 {first + 1:,} 条："
            f"{failed[first]}。其余均已完成。请缩短这些输入或释放内存后重试。",
        )
        self.failed = failed
        self.results = results

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failed, self.results)


class BusyError(WenmoError):
    """The call was rejected because too many others wait. Retry after `retry_after_s`."""

    retry_after_s: float = 1.0

    def __init__(self, en: str, zh: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(en, zh)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), retry_after_s=self.retry_after_s), (self.en, self.zh)
