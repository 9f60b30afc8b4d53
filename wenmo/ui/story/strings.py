"""Strings of the story page; those of its steps are in `wenmo/story/words.py`."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.ui.localized import Text

STRINGS: Mapping[str, Text] = {
    "story.figures": Text("数字来自", "Figures from"),
    "story.figures.own": Text("我的测量", "my runs"),
    "story.figures.committed": Text("随项目发布的结果", "the project's own results"),
    "story.measure": Text("去「{page}」测量", "Measure it: {page}"),
    "story.premise": Text("我的显卡与价格", "My GPU and price"),
    "story.card": Text("显卡", "GPU"),
    "story.currency": Text("货币", "Currency"),
    "story.price": Text("每小时价格", "Price of an hour"),
    "story.texts": Text("每天文本数", "Texts a day"),
    "story.back": Text("上一步", "Back"),
    "story.on": Text("下一步", "Next"),
    "story.at": Text("{at} / {of}", "{at} / {of}"),
    "story.fullscreen": Text("全屏", "Full screen"),
    "story.export": Text("导出 HTML", "Export HTML"),
}
