"""Every error that wenmo raises on purpose.

    WenmoError
    ├── InputError            what the caller passed: a text, labels, a template, a file, a column, an option
    ├── CheckpointError       a model folder that cannot be used as it is
    ├── ModelNotFoundError    a name that is neither bundled, nor a folder, nor a hub id
    ├── DownloadError         the hub could not be reached, or the download did not complete
    ├── DeviceError           a device or precision that this machine does not have
    ├── ForwardError          inputs that the model could not be run on; the others' results are with it
    └── BusyError             more calls at once than can be answered in time

Each says what is wrong, why, and how to mend it, in English and in Chinese. `str(error)` is the English text;
`error.text("zh")` the Chinese one. Anything else that escapes from wenmo is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

Language = Literal["zh", "en"]


class WenmoError(Exception):
    """Base of the tree: catch it to catch all of them."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def text(self, language: Language) -> str:
        """The message in the reader's language."""
        return self.zh if language == "zh" else self.en

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.en, self.zh)  # crosses process borders whole


class InputError(WenmoError, ValueError):
    """What the caller passed cannot be worked on."""


class CheckpointError(WenmoError):
    """A model folder is incomplete, damaged, or not a model of the wanted kind."""


class ModelNotFoundError(WenmoError):
    """No model has this name."""


class DownloadError(WenmoError):
    """A model could not be fetched from the hub."""


class DeviceError(WenmoError):
    """The wanted device or precision is not there."""


class ForwardError(WenmoError):
    """The model could not be run on some inputs, for want of memory, say.

    `failed` tells why, by position among the inputs; `results` are those of all inputs in order, None for the failed.
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
    """Too many calls at once: this one was not computed. `retry_after_s` is when to try again."""

    retry_after_s: float = 1.0

    def __init__(self, en: str, zh: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(en, zh)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), retry_after_s=self.retry_after_s), (self.en, self.zh)
