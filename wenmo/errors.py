"""Every error that wenmo raises on purpose.

    WenmoError
    ├── InputError            what the caller passed: a text, labels, a template, a file, a column, an option
    ├── CheckpointError       a model folder that cannot be used as it is
    ├── ModelNotFoundError    a name that is neither bundled, nor a folder, nor a hub id
    ├── DownloadError         the hub could not be reached, or the download did not complete
    └── DeviceError           a device or precision that this machine does not have

Each says what is wrong, why, and how to mend it, in English and in Chinese. `str(error)` is the English text;
`error.text("zh")` the Chinese one. Anything else that escapes from wenmo is a bug.
"""

from __future__ import annotations

from typing import Literal

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

    def __reduce__(self) -> tuple[type[WenmoError], tuple[str, str]]:
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
