"""Examples for the comparison of two models: easy texts, and texts that lie near the border between two answers."""

from __future__ import annotations

from collections.abc import Mapping

from wenmo.types import TaskName
from wenmo.ui.localized import Text
from wenmo.ui.shell.examples import Example


def _comparison(task: TaskName, zh: str, en: str, *lines: str, **more: str) -> Example:
    return Example(name=Text(zh, en), fields={f"compare_{task}_texts": "\n".join(lines), **more})


COMPARISONS: Mapping[TaskName, tuple[Example, ...]] = {
    "sentiment": (
        _comparison("sentiment", "一条", "One", "味道还可以，就是分量少了点"),
        _comparison(
            "sentiment",
            "十二条",
            "Twelve",
            "笔锋挺括，写小楷很顺手",
            "还行吧，说不上好坏",
            "墨汁一股怪味，开了窗也散不掉",
            "宣纸偏薄，不过价格便宜",
            "快递很快，砚台磕掉了一个角",
            "比想象中小，但是做工精细",
            "第三次回购了",
            "客服说会补发，等了两周没有下文",
            "没有什么不满意的",
            "一分钱一分货",
            "包装简单，东西倒是不错",
            "孩子用了两天就不想练字了",
        ),
    ),
    "similarity": (
        _comparison("similarity", "一对", "One pair", "毛笔用完怎么清洗 | 用过的毛笔要怎么洗"),
        _comparison(
            "similarity",
            "六对",
            "Six pairs",
            "毛笔用完怎么清洗 | 用过的毛笔要怎么洗",
            "宣纸怎么保存 | 宣纸在哪里买",
            "从苏州坐船到杭州 | 从杭州坐船到苏州",
            "初学书法临什么帖 | 刚学写字该临哪本字帖",
            "墨汁干了还能用吗 | 墨汁沾到衣服上怎么洗",
            "这方砚台多少钱 | 这方砚台什么价格",
        ),
    ),
    "classify": (
        _comparison("classify", "一条", "One", "等了一个星期还没发货，客服也没人回"),
        _comparison(
            "classify",
            "四条",
            "Four",
            "等了一个星期还没发货，客服也没人回",
            "收到的砚台比照片还好看，太喜欢了",
            "突然停电，吓了我一跳",
            "请问宣纸可以开发票吗",
        ),
    ),
    "zero_shot": (
        _comparison("zero_shot", "一条", "One", "展览延期到下个月开幕", compare_labels="文化，体育，财经，旅游"),
        _comparison(
            "zero_shot",
            "五条",
            "Five",
            "展览延期到下个月开幕",
            "主队客场逼平对手",
            "纸价连涨三个月",
            "古镇的客栈周末订满了",
            "新款平板支持手写笔",
            compare_labels="文化，体育，财经，旅游，科技",
        ),
    ),
}
