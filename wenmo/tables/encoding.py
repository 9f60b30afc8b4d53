"""Detects the encoding of a text table from its bytes: UTF-8, GB18030 (a superset of GBK and GB2312) or UTF-16.

A file is UTF-8 if all of it is valid UTF-8, else GB18030 if all of it is valid GB18030. But almost any bytes are valid
GB18030, so a file that mixes the two would silently be read as garbage. A mixed file is therefore refused, with the
number of the line.

Some runs of bytes are valid in both encodings: a short word in GBK can be valid UTF-8 by accident. Real Chinese text
consists almost entirely of GB2312's first level, the 3,755 most frequent characters; UTF-8 decoded as GBK hardly ever
does. A run that remains ambiguous counts as evidence for neither.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Literal

from wenmo.errors import InputError
from wenmo.tables.table import LINE_BYTES

Encoding = Literal["utf-8-sig", "gb18030", "utf-16"]
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "gbk", "gb2312", "big5", "utf-16")  # those that a caller may name

_NAMES: dict[str, str] = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}
_BLOCK_BYTES = 1 << 20
_SEPARATORS = re.compile(rb'[,\t"\r\n]')  # never a part of a character, in UTF-8 or in GB18030
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


def detect_encoding(path: Path) -> Encoding:
    """The Python codec to read `path` with. Reads the file in blocks, once, or twice if it is not UTF-8.

    Raises InputError, which names the first offending line, for a file that mixes UTF-8 with GB18030 or is in neither.
    """
    with path.open("rb") as file:
        start = file.read(3)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and _is_valid(path, "utf-16"):
        return "utf-16"
    if _is_valid(path, "utf-8"):
        return "utf-8-sig"
    proven: Encoding | None = "utf-8-sig" if start == codecs.BOM_UTF8 else None
    proven_line = 1
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES), b""), start=1):
            if len(line) == LINE_BYTES:
                raise InputError(
                    f"Line {number} of {path.name} is longer than {LINE_BYTES:,} bytes: this is no table of text.",
                    f"{path.name} 第 {number} 行超过 {LINE_BYTES:,} 字节：这不是文本表格。",
                )
            if line.isascii():
                continue
            for run in _SEPARATORS.split(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line):
                encoding = _encoding_of(run)
                if encoding == "neither":
                    raise InputError(
                        f"Line {number} of {path.name} is neither UTF-8 nor GB18030. Save the file as UTF-8.",
                        f"{path.name} 第 {number} 行既不是 UTF-8 也不是 GB18030 编码。请将文件另存为 UTF-8。",
                    )
                if encoding is None or encoding == proven:
                    continue
                if proven is not None:
                    here, there = _NAMES[encoding], _NAMES[proven]
                    raise InputError(
                        f"{path.name} mixes encodings: line {number} is {here}, but line {proven_line} is {there}. "
                        "Save the whole file in one encoding, best UTF-8.",
                        f"{path.name} 混用了多种编码：第 {number} 行是 {here}，而第 {proven_line} 行是 {there}。"
                        "请将整个文件存为同一种编码，最好是 UTF-8。",
                    )
                proven, proven_line = encoding, number
    return "gb18030"


def _is_valid(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _encoding_of(run: bytes) -> Encoding | Literal["neither"] | None:
    """The encoding that a run of bytes is evidence for; None when it fits both."""
    if run.isascii():
        return None
    utf8, gb = _decode(run, "utf-8"), _decode(run, "gb18030")
    if utf8 is None:
        return "neither" if gb is None else "gb18030"
    if gb is None:
        return "utf-8-sig"
    return "utf-8-sig" if _CHINESE.search(utf8) and _common_share(gb) < 0.5 else None


def _decode(run: bytes, encoding: str) -> str | None:
    try:
        return run.decode(encoding)
    except UnicodeDecodeError:
        return None


def _common_share(text: str) -> float:
    """The share (0 to 1) of the non-ASCII characters that are in GB2312's first level or its punctuation."""
    codes = [character.encode("gb18030") for character in text if not character.isascii()]
    common = sum(
        len(code) == 2 and (0xB0 <= code[0] <= 0xD7 or code[0] in (0xA1, 0xA3)) and code[1] >= 0xA1 for code in codes
    )
    return common / max(len(codes), 1)
