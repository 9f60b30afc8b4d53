"""The serif that is served has a glyph for every character that is set in it."""

from __future__ import annotations

import tomllib

from fontTools.ttLib import TTFont

from docs.subset_serif import FAMILY, SERIF, covered, used
from tests.conftest import ROOT


def test_no_title_has_a_character_that_the_serif_lacks() -> None:
    """Mended by `python -m docs.subset_serif FONT`."""
    titles = used()
    assert set("文墨共鸣省下的显存首页壹陆同异读句子历史") <= titles  # from each place where titles are
    assert not titles - covered()


def test_the_served_serif_is_the_one_that_the_theme_names() -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    (face,) = theme["fontFaces"]
    assert face["family"] == FAMILY and theme["headingFont"].startswith(f"'{FAMILY}'")
    assert ROOT / face["url"].removeprefix("app/") == SERIF
    names = {record.nameID: str(record) for record in TTFont(SERIF)["name"].names}
    assert names[1] == FAMILY and "Open Font License" in names[13]
    assert "SIL OPEN FONT LICENSE" in (SERIF.parent / "OFL.txt").read_text(encoding="utf-8")
