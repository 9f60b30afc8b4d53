"""What the bundled models answer to fixed questions, in fp32 on a CPU: what the tests of the pages expect to be shown.

All numbers of the tests that depend on the bundled models stand here. Another edition of the models changes this file
and no other:

    python -m tests.bundled_answers

asks the models and prints the tables below the line of dashes anew: put them in place of those that stand there, run
`ruff format` over the file, and read the difference. The tests of the pages only say that a page shows these numbers,
not that they are good ones.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pprint import pformat
from statistics import fmean
from typing import TYPE_CHECKING

from tests.conftest import ROOT
from wenmo.tasks.table import TASKS

if TYPE_CHECKING:
    from wenmo import Engine

Pair = tuple[str, str]

TOLERANCE = 0.002  # of probabilities and cosines: three decimals are written, and other processors round otherwise

PAIR: Pair = ("今天天气真好", "天气不错")
QUERY, CANDIDATES = "密码忘了怎么办", ("发票可以补开吗", "忘记密码怎么办", "在哪里可以修改密码")
SENTENCES = ("快递几天到", "天气不错", "几天能收到快递", "怎么退货")
TERRIBLE, GLAD = "这部电影太烂了", "今天天气真好，心情特别棒"
REVIEWS = ("很好", "=HYPERLINK(1)", "太差了", "一般")
SENTENCES_OF_A_REVIEW = ("环境雅致。", "上菜太慢！", "<b>还行</b>")
LONG_REVIEW = "环境雅致。上菜太慢！ <b>还行</b>"
ABOUT_ASPECTS = ("快递很快。", "物流太慢！", "=价格")
PRODUCTS = (
    ("墨色很黑", "写起来顺滑", "包装漂亮", "笔尖有点粗", "性价比高", "很喜欢"),
    ("漏墨", "写几天就断墨", "手感不错", "太贵了", "笔帽松", "客服不理人", "颜色好看", "后悔买了"),
)
BILL, INTENTS, INTENT_TEMPLATE = "我想查询上个月的账单", ("咨询", "投诉", "建议"), "这句话的意图是{}"
DOG, TOPICS = "周末带狗露营", ("宠物", "旅游", "财经")
NEWS = (("主队赢了", "体育"), ("芯片发布", "科技"), ("股市上涨", "体育"), ("没有标签", None))
SECTIONS = ("体育", "科技", "财经", "旅游", "美食", "教育", "健康", "房产", "汽车", "娱乐", "军事", "历史")
HEADLINES = ("周末带孩子去爬山", "股票大跌")
COMPARED = "墨色温润"
SAMPLE = ROOT / "assets" / "samples" / "reviews.csv"


def _asked(engine: Engine) -> dict[str, object]:
    """The tables by the names under which they stand below the line."""
    from wenmo.tasks.reviews import difference

    def probability(value: float) -> float:
        return round(float(value), 3)

    def scores(texts: Sequence[str], labels: Sequence[str], **how: object) -> dict[str, dict[str, float]]:
        results = engine.zero_shot(texts, labels=labels, **how)  # type: ignore[arg-type]
        found = [{name: probability(score) for name, score in result.scores.items()} for result in results]
        return dict(zip(texts, found, strict=True))

    matrix = [(first, second) for index, first in enumerate(SENTENCES) for second in SENTENCES[index:]]
    pairs = [PAIR, *((QUERY, candidate) for candidate in CANDIDATES), *matrix]
    texts = [TERRIBLE, GLAD, *REVIEWS, LONG_REVIEW, *SENTENCES_OF_A_REVIEW, *ABOUT_ASPECTS, COMPARED]
    sides = [[result.positive for result in engine.sentiment(side)] for side in PRODUCTS]
    found = difference(*sides)
    assert found.interval is not None
    with SAMPLE.open(encoding="utf-8-sig", newline="") as file:
        sample = list(csv.DictReader(file))
    labels = [result.label for result in engine.sentiment([row["评论"] for row in sample])]
    return {
        "SIMILARITY": dict(
            zip(pairs, (probability(each.similarity) for each in engine.similarity(pairs)), strict=True)
        ),
        "COSINE": dict(zip(pairs, map(probability, engine.cosine_similarity(pairs)), strict=True)),
        "POSITIVE": dict(zip(texts, (probability(each.positive) for each in engine.sentiment(texts)), strict=True)),
        "MEANS": tuple(probability(fmean(side)) for side in sides),
        "DIFFERENCE": tuple(round(100 * value, 1) for value in (found.value, *found.interval)),
        "INTENTS_OF_BILL": {
            method: scores([BILL], INTENTS, template=INTENT_TEMPLATE, method=method)[BILL]
            for method in ("nli", "embedding")
        },
        "TOPICS_OF_DOG": scores([DOG], TOPICS, multi_label=True)[DOG],
        "SECTIONS_OF_NEWS": scores([text for text, _ in NEWS], ("体育", "科技")),
        "SHORTLISTED": {
            text: max(found.items(), key=lambda pair: pair[1])
            for text, found in scores(HEADLINES, SECTIONS, method="two_stage").items()
        },
        "SAMPLE_RIGHT": sum(row["情绪"] == label for row, label in zip(sample, labels, strict=True)),
        "PARAMETERS_M": {
            task: round(engine.model_info(task).parameters / 1e6, 1) for task, spec in TASKS.items() if spec.bundled
        },
    }


def main() -> None:
    """See the head of this file."""
    from wenmo import Engine

    with Engine(device="cpu", precision="fp32") as engine:
        tables = _asked(engine)
    for name, table in tables.items():
        print(f"{name} = {pformat(table, width=110, sort_dicts=False)}")


# ----------------------------------------------------------------------------------------------------------------------

SIMILARITY = {
    ("今天天气真好", "天气不错"): 0.398,
    ("密码忘了怎么办", "发票可以补开吗"): 0.053,
    ("密码忘了怎么办", "忘记密码怎么办"): 0.89,
    ("密码忘了怎么办", "在哪里可以修改密码"): 0.186,
    ("快递几天到", "快递几天到"): 0.743,
    ("快递几天到", "天气不错"): 0.06,
    ("快递几天到", "几天能收到快递"): 0.81,
    ("快递几天到", "怎么退货"): 0.054,
    ("天气不错", "天气不错"): 0.893,
    ("天气不错", "几天能收到快递"): 0.071,
    ("天气不错", "怎么退货"): 0.051,
    ("几天能收到快递", "几天能收到快递"): 0.946,
    ("几天能收到快递", "怎么退货"): 0.057,
    ("怎么退货", "怎么退货"): 0.93,
}
COSINE = {
    ("今天天气真好", "天气不错"): 0.955,
    ("密码忘了怎么办", "发票可以补开吗"): 0.511,
    ("密码忘了怎么办", "忘记密码怎么办"): 0.981,
    ("密码忘了怎么办", "在哪里可以修改密码"): 0.877,
    ("快递几天到", "快递几天到"): 1.0,
    ("快递几天到", "天气不错"): 0.657,
    ("快递几天到", "几天能收到快递"): 0.983,
    ("快递几天到", "怎么退货"): 0.592,
    ("天气不错", "天气不错"): 1.0,
    ("天气不错", "几天能收到快递"): 0.648,
    ("天气不错", "怎么退货"): 0.499,
    ("几天能收到快递", "几天能收到快递"): 1.0,
    ("几天能收到快递", "怎么退货"): 0.612,
    ("怎么退货", "怎么退货"): 1.0,
}
POSITIVE = {
    "这部电影太烂了": 0.049,
    "今天天气真好，心情特别棒": 0.97,
    "很好": 0.961,
    "=HYPERLINK(1)": 0.573,
    "太差了": 0.025,
    "一般": 0.085,
    "环境雅致。上菜太慢！ <b>还行</b>": 0.42,
    "环境雅致。": 0.942,
    "上菜太慢！": 0.033,
    "<b>还行</b>": 0.405,
    "快递很快。": 0.937,
    "物流太慢！": 0.03,
    "=价格": 0.26,
    "墨色温润": 0.867,
}
MEANS = (0.625, 0.309)
DIFFERENCE = (31.6, -9.8, 68.7)
INTENTS_OF_BILL = {
    "nli": {"咨询": 0.972, "建议": 0.016, "投诉": 0.012},
    "embedding": {"咨询": 0.65, "投诉": 0.254, "建议": 0.096},
}
TOPICS_OF_DOG = {"宠物": 0.785, "旅游": 0.6, "财经": 0.159}
SECTIONS_OF_NEWS = {
    "主队赢了": {"体育": 0.995, "科技": 0.005},
    "芯片发布": {"科技": 0.991, "体育": 0.009},
    "股市上涨": {"科技": 0.951, "体育": 0.049},
    "没有标签": {"科技": 0.751, "体育": 0.249},
}
SHORTLISTED = {"周末带孩子去爬山": ("旅游", 0.45), "股票大跌": ("财经", 0.801)}
SAMPLE_RIGHT = 88
PARAMETERS_M = {"similarity": 13.9, "sentiment": 13.9, "zero_shot": 13.9, "embedding": 13.8}


if __name__ == "__main__":
    main()
