"""Examples of the page of classifiers: texts of several kinds, as no labels are known beforehand."""

from __future__ import annotations

from wenmo.ui.localized import Text
from wenmo.ui.shell.examples import Example

TEXTS = (
    Example(name=Text("一条", "One"), fields={"classify_texts": "等了一个星期还没发货，客服也没人回"}),
    Example(
        name=Text("几条", "Several"),
        fields={
            "classify_texts": "\n".join(
                (
                    "等了一个星期还没发货，客服也没人回",
                    "收到的砚台比照片还好看，太喜欢了",
                    "突然停电，吓了我一跳",
                    "请问宣纸可以开发票吗",
                    "一想到明天要考试就睡不着",
                )
            )
        },
    ),
)
