"""Strings of the story page; those of its steps are in `wenmo/story/words.py`."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "story.figures": Text("数字来自", "Figures from"),
    "story.figures.own": Text("这次会话的测量", "this session's runs"),
    "story.figures.committed": Text("自带的结果", "the results that come with it"),
    "story.measure": Text("去「{page}」测量", "Measure it: {page}"),
    "story.currency": Text("货币", "Currency"),
    "story.price": Text("每小时价格", "Price of an hour"),
    "story.texts": Text("每天文本数", "Texts a day"),
    "story.back": Text("上一步", "Back"),
    "story.on": Text("下一步", "Next"),
    "story.at": Text("{at} / {of}", "{at} / {of}"),
    "story.fullscreen": Text("全屏", "Full screen"),
    "story.export": Text("导出 HTML", "Export HTML"),
}
