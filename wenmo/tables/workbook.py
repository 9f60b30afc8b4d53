"""Opens an Excel workbook with openpyxl, which reads some parts of it as a whole: those have limits here.

Which part is which, the workbook says itself, by any name that it likes; so a limit stands where a part is read.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import SHARED_STRINGS

WHOLE_MIB = 8  # limit for styles, themes, lists of sheets; a workbook in use for years has some MiB of styles
SHARED_MIB = 256  # limit for the table of distinct texts


class PartTooLargeError(Exception):
    """A part of the workbook is larger than what is read of its kind."""

    def __init__(self, part: str, size: int, limit_mib: int) -> None:
        super().__init__(part)
        self.part, self.size, self.limit_mib = part, size, limit_mib


class _Archive(zipfile.ZipFile):
    """A zip file of which only small parts can be read as a whole; `open` gives a stream of any."""

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        self.check(name, WHOLE_MIB)
        return super().read(name, pwd)

    def check(self, name: Any, limit_mib: int) -> None:
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if info.file_size > limit_mib << 20:
            raise PartTooLargeError(info.filename, info.file_size, limit_mib)


class _Reader(ExcelReader):  # type: ignore[misc]
    archive: Any
    package: Any

    def __init__(self, path: Path) -> None:
        super().__init__(path, read_only=True, data_only=True, keep_links=False)
        self.archive.close()
        self.archive = _Archive(path)

    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)
        if part is not None:
            self.archive.check(part.PartName[1:], SHARED_MIB)
        super().read_strings()

    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """A sheet of a chart has no cells."""


def load_workbook(path: Path) -> Any:
    """The workbook, its sheets to be streamed. Raises PartTooLargeError, and whatever openpyxl does for a bad file."""
    reader = _Reader(path)
    try:
        reader.read()
    except BaseException:
        reader.archive.close()
        raise
    return reader.wb
