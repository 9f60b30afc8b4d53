"""Examples of the similarity page: a ranking and a matrix."""

from __future__ import annotations

from wenmo.ui.localized import Text
from wenmo.ui.shell.examples import Example


def _ranking(zh: str, en: str, query: str, *candidates: str) -> Example:
    return Example(name=Text(zh, en), fields={"ranking_query": query, "ranking_candidates": "\n".join(candidates)})


def _matrix(zh: str, en: str, *sentences: str) -> Example:
    return Example(name=Text(zh, en), fields={"matrix_sentences": "\n".join(sentences)})


RANKINGS = (
    _ranking(
        "找回密码",
        "Lost password",
        "密码忘了怎么办",
        "在哪里可以修改密码",
        "忘记密码怎么办",
        "如何注销我的账号",
        "密码忘记了怎么找回",
        "换了手机号怎么绑定",
        "发票可以补开吗",
    ),
    _ranking(
        "手机充电",
        "Charging",
        "手机充不进电怎么办",
        "手机进水了怎么办",
        "手机无法充电怎么办",
        "充电宝可以带上飞机吗",
        "手机充不上电是什么原因",
        "手机充电很慢怎么办",
    ),
    _ranking(
        "办护照",
        "A passport",
        "怎么办理护照",
        "办护照需要什么材料",
        "去日本需要签证吗",
        "护照怎么办理",
        "办理护照要多长时间",
        "身份证怎么办理",
    ),
    _ranking(
        "阴晴",
        "Weather",
        "明天会下雨吗",
        "明天天气怎么样",
        "明天会不会下雨",
        "昨天下雨了吗",
        "明天下雨吗",
        "下雨天适合做什么",
    ),
)

MATRICES = (
    _matrix(
        "客服三问",
        "Help desk",
        "怎么申请退货",
        "退货怎么申请",
        "发票在哪里下载",
        "怎么下载发票",
        "忘记密码怎么办",
        "密码忘了怎么找回",
    ),
    _matrix(
        "旅途",
        "Travel",
        "敦煌有什么好吃的",
        "敦煌有哪些好吃的",
        "去敦煌几月份最合适",
        "坐火车去拉萨要多久",
        "去拉萨坐火车需要多长时间",
    ),
    _matrix(
        "近义与反义",
        "Near and opposite",
        "我很喜欢这本书",
        "这本书我非常喜爱",
        "我不喜欢这本书",
        "这本书我一点也看不下去",
    ),
    _matrix(
        "四季",
        "Seasons",
        "春天的花都开了",
        "花儿在春天开放",
        "秋天的叶子落了一地",
        "满地都是秋天的落叶",
        "冬天的早晨很冷",
        "夏夜适合乘凉",
    ),
)
