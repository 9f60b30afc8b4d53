"""Finds the encoding of a text file from all of its bytes: UTF-8, UTF-16, GB18030 (a superset of GBK) or Big5.

- A byte order mark decides. Without one, zero bytes at every other place and line ends of two bytes tell UTF-16.
- A file is UTF-8 if all of it is valid UTF-8.
- Almost any bytes are valid GB18030, and many are valid Big5, so both are judged by how usual the characters are that
  they give: text consists almost entirely of the first level of GB2312 or Big5, and a third of it of 200 characters.
- A file that mixes UTF-8 with GB18030 is refused, with the number of the line, as it would be read as garbage.
- Bytes that are no character, such as the half of one that a database cut off, are read as U+FFFD, and their lines are
  told, where they are few beside the whole characters.

Some runs of bytes are valid in both UTF-8 and GB18030: a short word in GBK can be valid UTF-8 by accident. A run that
remains ambiguous counts as evidence for neither.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from wenmo.errors import InputError
from wenmo.tables.table import LINE_BYTES, Notice

# The names that a caller may give, and what they are read with: the superset that Windows means by them.
_CODECS = {
    "utf-8": "utf-8-sig",
    "utf-8-sig": "utf-8-sig",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "cp950",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
}
ENCODINGS = tuple(_CODECS)
_TITLES = {"utf-8-sig": "UTF-8", "gb18030": "GB18030", "cp950": "Big5", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}

_BLOCK_BYTES = 1 << 20
_LINES_TOLD = 10
_LEAST_USUAL = 0.15  # of text, see `_usual_share`; Chinese has 0.6 to 0.9, read in a wrong encoding it has 0 to 0.4
_CLEARLY_MORE = 0.15  # by which Big5 must be more usual than GB18030, which is by far the more frequent one
_SEPARATORS = re.compile(rb'[,\t"\r\n]')  # never a part of a character, in UTF-8, GB18030 or Big5
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
_ERRORS = "wenmo.replace"
# The most frequent characters of Chinese text and of reviews, simplified and traditional.
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没"
    "日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知样现分将外但身些与高意进把法此实回二理美点"
    "月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内"
    "加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放"
    "做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社"
    "评价质量商品店推荐差慢快贵便宜客态服务包装速度味道菜差卖买送货退款卡房间早餐环境不错非常满意失望，。！？、：；“”（）"
    "這個來說們為時會對過還後點裡麼沒發當無開頭動現將與進實種聲話兒問幾業間門東車應體處總場師書員報難數邊戰許覺題統請愛讓認論義"
    "評價質量買賣貨環境滿廳髒氣壞條電腦錢書國學樣經長關歡聽"
)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The handler of errors in decoding: U+FFFD, but € for the byte with which Windows writes it in GBK."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.object[error.start] == 0x80 and error.encoding in ("gb18030", "cp950"):
        return "€", error.start + 1
    return "\ufffd", error.end


codecs.register_error(_ERRORS, _replace)


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """How a file is decoded: by Python's `codec`, with U+FFFD for bytes that are no character.

    `notices` tell what was guessed that could be otherwise, and which lines have such bytes.
    """

    codec: str
    notices: tuple[Notice, ...] = ()

    def open(self, path: Path) -> TextIO:
        """Open `path` for reading, with its line ends as they are."""
        return path.open(encoding=self.codec, errors=_ERRORS, newline="")


def find_encoding(path: Path, named: str | None = None) -> TextEncoding:
    """The encoding of `path`, or how it is read in the encoding `named` (one of ENCODINGS). Reads the file in blocks.

    Raises InputError, which names the first offending line, for a file that mixes UTF-8 with GB18030, is in none of the
    encodings, or is not in the one that is named.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if named is not None:
        codec = _CODECS[named]
        if codec == "utf-16" and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            codec = _unmarked_utf16(path) or "utf-16-le"
        return _as_named(path, named, codec)
    if start == codecs.BOM_UTF32_LE:
        return _as_named(path, "utf-32", "utf-32")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and (damage := _damage(path, "utf-16")).is_small:
        return TextEncoding(codec="utf-16", notices=damage.notices(path))
    unmarked = _unmarked_utf16(path)
    if unmarked is not None:
        return TextEncoding(codec=unmarked, notices=_guessed(path, unmarked))
    if _is_valid(path, "utf-8"):
        return TextEncoding(codec="utf-8-sig")
    return _survey(path, marked=start.startswith(codecs.BOM_UTF8))


def _guessed(path: Path, codec: str) -> tuple[Notice, ...]:
    title = _TITLES[codec]
    return (
        Notice(
            en=f"{path.name} looks like {title} and was read so. If texts are garbled, name its encoding.",
            zh=f"{path.name} 看来是 {title} 编码，已按此读取。若出现乱码，请指定编码。",
        ),
    )


@dataclass(kw_only=True)
class _Damage:
    """Bytes of a file that are no character: how many, and in which lines; `whole` counts the other non-ASCII ones."""

    count: int = 0
    whole: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, text: str, line: int, *, broken: int) -> None:
        self.whole += sum(not character.isascii() for character in text) - broken
        self.count += broken
        if broken and len(self.lines) <= _LINES_TOLD and line not in self.lines[-1:]:
            self.lines.append(line)

    @property
    def is_small(self) -> bool:
        return self.count == 0 or (self.count < self.whole and self.count <= max(1, self.whole // 10))

    def notices(self, path: Path) -> tuple[Notice, ...]:
        if not self.count:
            return ()
        listed = ", ".join(map(str, self.lines[:_LINES_TOLD])) + (" …" if len(self.lines) > _LINES_TOLD else "")
        return (
            Notice(
                en=f"{path.name} has bytes that are no character, read as \ufffd: {self.count:,}, in line {listed}. "
                "Something cut characters in half before the file was written.",
                zh=f"{path.name} 中有 {self.count:,} 处字节不成字符，已读作 \ufffd（第 {listed} 行）。"
                "写出此文件之前，有程序把字符截断了。",
            ),
        )


def _as_named(path: Path, named: str, codec: str) -> TextEncoding:
    damage = _damage(path, codec)
    if not damage.is_small:
        raise InputError(
            f"{path.name} is not in the encoding {named}: {damage.count:,} bytes are no character in it, the first in "
            f"line {damage.lines[0]}. Name another one, or none.",
            f"{path.name} 的编码不是 {named}：其中 {damage.count:,} 处字节不成字符，首处在第 {damage.lines[0]} 行。"
            "请改用其他编码，或不指定编码。",
        )
    return TextEncoding(codec=codec, notices=damage.notices(path))


def _damage(path: Path, codec: str) -> _Damage:
    """What of the file is no character in `codec`."""
    damage = _Damage()
    if _is_valid(path, codec):
        return damage
    for number, text in enumerate(_decoded_lines(path, codec), start=1):
        if not text.isascii():
            damage.add(text, number, broken=text.count("\ufffd"))
    return damage


def _decoded_lines(path: Path, codec: str) -> Iterator[str]:
    with path.open(encoding=codec, errors=_ERRORS, newline="") as file:
        while line := file.readline(LINE_BYTES):
            yield line


def _is_valid(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _unmarked_utf16(path: Path) -> str | None:
    """The codec of a file that is UTF-16 without a byte order mark; None for any other."""
    with path.open("rb") as file:
        block = file.read(_BLOCK_BYTES)
    if b"\0" not in block:
        return None
    for codec in ("utf-16-le", "utf-16-be"):
        text = block[: len(block) // 2 * 2].decode(codec, "replace")
        odd = sum(text.count(character) for character in {"\ufffd", *_CONTROL.findall(text)})
        odd += sum(count for c, count in Counter(text).items() if unicodedata.category(c) in ("Cn", "Co"))
        if ("\n" in text or "\r" in text) and odd <= len(text) // 100 and _damage(path, codec).is_small:
            return codec
    return None


def _survey(path: Path, *, marked: bool) -> TextEncoding:
    """The encoding of a file that is not valid UTF-8, by all of its lines; `marked`: it begins with UTF-8's mark."""
    utf8_line: int | None = 1 if marked else None  # the first line that can only be UTF-8
    other_line: int | None = None  # the first line that can only be GB18030 or Big5
    runs = 0  # that are evidence for one or the other
    damage = {"utf-8": _Damage(), "gb18030": _Damage(), "cp950": _Damage()}
    unknown: list[int] = []  # lines with runs that are in no encoding
    characters: dict[str, Counter[str]] = {"gb18030": Counter(), "cp950": Counter()}
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
                if run.isascii():
                    continue
                kind = _kind_of(run)
                if kind == "unknown":
                    unknown.append(number)
                if kind == "utf-8":
                    text = run.decode("utf-8", "replace")
                    damage["utf-8"].add(text, number, broken=text.count("\ufffd") - run.count(b"\xef\xbf\xbd"))
                    utf8_line, runs = utf8_line or number, runs + 1
                else:
                    for codec, counter in characters.items():
                        text = run.decode(codec, _ERRORS)
                        counter.update(text)
                        damage[codec].add(text, number, broken=text.count("\ufffd"))
                    if kind == "other":
                        other_line, runs = other_line or number, runs + 1
                if utf8_line is not None and other_line is not None:
                    raise _mixed(path, utf8_line, other_line)
    if utf8_line is None and other_line is None and not unknown:
        other_line = 1  # all of it fits both, and some of it does not fit UTF-8
    usual = {codec: _usual_share(counter) for codec, counter in characters.items()}
    if other_line is not None and max(usual.values()) < _LEAST_USUAL:
        unknown = [other_line, *unknown]  # valid, but no text that anybody wrote
        runs = 0
    if len(unknown) > (max(1, runs // 20) if runs else 0):
        raise InputError(
            f"Line {unknown[0]} of {path.name} is neither UTF-8 nor GB18030 nor Big5. Save the file as UTF-8, or name "
            "its encoding.",
            f"{path.name} 第 {unknown[0]} 行既不是 UTF-8，也不是 GB18030 或 Big5 编码。"
            "请将文件另存为 UTF-8，或指定编码。",
        )
    if utf8_line is not None:
        found = damage["utf-8"]
        found.count += len(unknown)
        found.lines = sorted({*found.lines, *unknown})
        return TextEncoding(codec="utf-8-sig", notices=found.notices(path))
    codec = "cp950" if usual["cp950"] > usual["gb18030"] + _CLEARLY_MORE else "gb18030"
    notices = damage[codec].notices(path)
    return TextEncoding(codec=codec, notices=(*_guessed(path, codec), *notices) if codec == "cp950" else notices)


def _mixed(path: Path, utf8_line: int, other_line: int) -> InputError:
    (second, here), (first, there) = sorted([(utf8_line, "UTF-8"), (other_line, "GB18030")], reverse=True)
    if utf8_line == other_line:
        here, there = "GB18030", "UTF-8"
    return InputError(
        f"{path.name} mixes encodings: line {second} is {here}, but line {first} is {there}. "
        "Save the whole file in one encoding, best UTF-8.",
        f"{path.name} 混用了多种编码：第 {second} 行是 {here}，而第 {first} 行是 {there}。"
        "请将整个文件存为同一种编码，最好是 UTF-8。",
    )


def _kind_of(run: bytes) -> Literal["utf-8", "other", "either", "unknown"]:
    """What a run of bytes is evidence for: UTF-8, or one of the others (GB18030, Big5)."""
    text = run.decode("utf-8", "replace")
    broken = text.count("\ufffd") - run.count(b"\xef\xbf\xbd")
    gb = run.decode("gb18030", _ERRORS)
    gb_broken = gb.count("\ufffd")
    if not broken:
        if gb_broken:
            return "utf-8"
        return "utf-8" if _CHINESE.search(text) and _common_share(gb) < 0.5 else "either"
    whole = len(_CHINESE.findall(text))
    if whole >= 2 * broken and (gb_broken or _common_share(gb) < 0.5):
        return "utf-8"  # with a character cut in half
    if not gb_broken:
        return "other"
    big5 = run.decode("cp950", _ERRORS)
    for other in (gb, big5):
        if len(_CHINESE.findall(other)) >= 2 * other.count("\ufffd") and _usual_share(Counter(other)) > 0.3:
            return "other"
    return "unknown"


def _common_share(text: str) -> float:
    """The share (0 to 1) of the non-ASCII characters that are in GB2312's first level or its punctuation."""
    found = [character for character in text if not character.isascii()]
    return sum(map(_is_common_gb, found)) / max(len(found), 1)


def _is_common_gb(character: str) -> bool:
    code = character.encode("gb18030", "replace")
    return len(code) == 2 and (0xB0 <= code[0] <= 0xD7 or code[0] in (0xA1, 0xA3)) and code[1] >= 0xA1


def _is_common_big5(character: str) -> bool:
    code = character.encode("cp950", "replace")
    return len(code) == 2 and (0xA4 <= code[0] <= 0xC6 or code[0] in (0xA1, 0xA2))


def _usual_share(characters: Counter[str]) -> float:
    """How usual non-ASCII `characters` are, up to 1: the frequent ones count whole, those of a first level half."""
    usual = total = 0.0
    for character, count in characters.items():
        if character.isascii():
            continue
        total += count
        if character == "\ufffd":
            usual -= count
        elif character in _FREQUENT:
            usual += count
        elif _is_common_gb(character) or _is_common_big5(character):
            usual += count / 2
    return usual / max(total, 1)
