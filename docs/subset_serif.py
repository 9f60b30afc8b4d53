"""Make the serif that titles are set in: `python -m docs.subset_serif FONT`, into static/wenmo-serif.woff2.

FONT is NotoSerifCJK-Bold.ttc (Debian's package fonts-noto-cjk). Of its Simplified Chinese face the glyphs of titles are
kept and nothing else; what a visitor's own text needs beyond them comes from the system's fonts. Run it
again when a title has a new character: tests/unit/test_serif.py says so. Needs fonttools and brotli
(requirements-dev.txt). The licence lies beside the font (static/OFL.txt); it is under a name of its own.
"""

from __future__ import annotations

import argparse
import re
import string
import unicodedata
from pathlib import Path
from typing import get_args

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont

from wenmo.lab import sections
from wenmo.story import steps
from wenmo.story.draw import NUMERALS
from wenmo.ui.shell.theme import Stamp
from wenmo.ui.text import TEXTS

ROOT = Path(__file__).resolve().parents[1]
SERIF = ROOT / "static" / "wenmo-serif.woff2"
FAMILY = "Wenmo Serif"
_FACE = "Noto Serif CJK SC"
_HEADING = re.compile(r'\.(?:title|header|subheader)\(\s*say\(\s*f?"([^"]+)"')
_OWN = ("history.title", r"tour\.[a-z]+\.title")  # set by stylesheets of components
_ALWAYS = string.ascii_letters + string.digits + string.punctuation + " ，。、：；？！（）《》「」“”‘’…—–−·×→"


def used() -> set[str]:
    """The characters of everything that the app sets in its heading font, numbers and punctuation besides."""
    sources = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "wenmo" / "ui").rglob("*.py")]
    said = {key for path in sources for key in _HEADING.findall(path.read_text(encoding="utf-8"))}
    patterns = [re.sub(r"\{[^}]*\}", "[a-z0-9_]+", key.replace(".", r"\.")) for key in said] + list(_OWN)
    titles = [text for key, each in TEXTS.items() for text in each if any(re.fullmatch(p, key) for p in patterns)]
    titles += [text for each in (*sections.TITLES.values(), *steps.TITLES.values()) for text in each]
    found = set("".join([*titles, NUMERALS, *get_args(Stamp), _ALWAYS]))
    return {each for each in found if unicodedata.category(each) != "So"}  # faces are drawn by the system's emoji


def covered(path: Path = SERIF) -> set[str]:
    """The characters that the font at `path` has a glyph for."""
    return {chr(code) for code in TTFont(path).getBestCmap()}


def subset(source: Path, target: Path = SERIF) -> None:
    """Write the glyphs of `used()` from the collection `source`."""
    font = next(face for face in TTCollection(source).fonts if face["name"].getDebugName(1) == _FACE)
    options = Options()
    options.flavor = "woff2"
    options.hinting = False
    options.layout_features = ["kern", "palt", "halt", "locl"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(used()))
    subsetter.subset(font)
    for name, text in ((1, FAMILY), (3, f"{FAMILY} Bold"), (4, f"{FAMILY} Bold"), (6, "WenmoSerif-Bold")):
        font["name"].setName(text, name, 3, 1, 0x409)
    font.flavor = "woff2"
    target.parent.mkdir(exist_ok=True)
    font.save(target)


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("font", type=Path)
    subset(parser.parse_args().font)
    missing = used() - covered()
    print(f"{SERIF.stat().st_size:,} bytes, {len(covered())} characters; missing: {''.join(sorted(missing)) or 'none'}")


if __name__ == "__main__":
    main()
