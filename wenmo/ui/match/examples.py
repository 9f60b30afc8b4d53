"""Examples of the match page: questions with an FAQ, and lists with near-duplicates."""

from __future__ import annotations

from wenmo.ui.localized import Text
from wenmo.ui.shell.examples import Example


def _two(zh: str, en: str, left: tuple[str, ...], right: tuple[str, ...]) -> Example:
    fields = {"match_left": "\n".join(left), "match_right": "\n".join(right)}
    return Example(name=Text(zh, en), fields=fields)


def _one(zh: str, en: str, *texts: str) -> Example:
    return Example(name=Text(zh, en), fields={"match_list": "\n".join(texts)})


TWO = (
    _two(
        "客服问答",
        "Help desk",
        (
            "密码忘了怎么找回",
            "我想退货，怎么操作",
            "发票在哪里开",
            "几天能收到快递",
            "可以用信用卡付款吗",
            "怎么修改收货地址",
            "你们周末上班吗",
            "优惠券为什么用不了",
            "今天晚饭吃什么",
        ),
        (
            "忘记密码怎么办",
            "怎么申请退货",
            "怎么申请换货",
            "如何开具发票",
            "快递多久能送到",
            "支持哪些付款方式",
            "如何修改收货地址",
            "客服的工作时间",
            "优惠券无法使用怎么办",
            "如何注销账号",
        ),
    ),
    _two(
        "图书馆",
        "Library",
        ("借书证怎么办", "一次能借几本书", "书丢了要赔吗", "自习室几点关门", "能续借吗"),
        ("如何办理借书证", "最多可以借多少本", "图书遗失如何赔偿", "阅览室开放时间", "怎样续借图书", "如何预约座位"),
    ),
)
ONE = (
    _one(
        "投诉",
        "Complaints",
        "快递太慢了",
        "送货速度太慢",
        "物流太慢，等了一个星期",
        "快递真的太慢了",
        "包装破了",
        "收到时包装是破的",
        "包装破损严重",
        "客服态度很差",
        "客服的态度太差了",
        "颜色和图片不一样",
        "实物颜色和图片不符",
        "一直不给退款",
        "退款迟迟不到账",
        "说明书看不懂",
    ),
    _one(
        "提问",
        "Questions",
        "怎么申请退货",
        "退货怎么申请",
        "如何申请退货",
        "发票在哪里下载",
        "怎么下载发票",
        "忘记密码怎么办",
        "密码忘了怎么办",
        "忘记密码了怎么办",
        "怎么修改手机号",
        "今天会下雨吗",
    ),
)
