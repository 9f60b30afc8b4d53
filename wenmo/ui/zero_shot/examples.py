"""Examples of the zero-shot page: texts with the labels to sort them into."""

from __future__ import annotations

from collections.abc import Sequence

from wenmo.ui.localized import Text
from wenmo.ui.shell.examples import Example


def _labels(
    zh: str, en: str, texts: Sequence[str], labels: str, template: str, *, multi_label: bool = False
) -> Example:
    return Example(
        name=Text(zh, en),
        fields={
            "zero_shot_texts": "\n".join(texts),
            "zero_shot_labels": labels.split("，"),
            "zero_shot_template": template,
            "zero_shot_multi_label": multi_label,
        },
    )


LABELS = (
    _labels("工单分流", "Help desk", ["上个月的账单里多扣了我二十块钱"], "账单查询，投诉，业务办理，建议", "{}"),
    _labels("新闻归类", "News", ["新一代手机芯片下个月发布"], "科技，体育，财经，娱乐，旅游", "这是一条{}新闻"),
    _labels(
        "可多选",
        "Several true",
        ["想找一个周末能带孩子和小狗一起去露营的地方"],
        "亲子，宠物，旅游，美食，财经",
        "这段话与{}有关",
        multi_label=True,
    ),
    _labels(
        "一组新闻",
        "Several news",
        [
            "主队在最后一分钟射门得分，拿下了这场比赛",
            "新一代手机芯片下个月发布",
            "这位歌手宣布明年举办巡回演唱会",
            "银行下调存款利率，股市应声上涨",
            "古城迎来赏花的游人，客栈早早订满",
        ],
        "体育，科技，娱乐，财经，旅游",
        "这是一条{}新闻",
    ),
)
