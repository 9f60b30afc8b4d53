"""Examples of the sentiment page: reviews, and reviews of two products."""

from __future__ import annotations

from collections.abc import Sequence

from wenmo.ui.localized import Text
from wenmo.ui.shell.examples import Example


def _reviews(zh: str, en: str, *texts: str, aspects: str = "") -> Example:
    return Example(name=Text(zh, en), fields={"sentiment_texts": "\n".join(texts), "sentiment_aspects": aspects})


def _products(zh: str, en: str, first: Sequence[str], second: Sequence[str]) -> Example:
    return Example(name=Text(zh, en), fields={"products_first": "\n".join(first), "products_second": "\n".join(second)})


REVIEWS = (
    _reviews("欣喜", "Happy", "汤头很鲜，牛肉很足，老板也热情，还送了一碟泡菜，下次还来"),
    _reviews("不满", "Angry", "等了两个小时才送到，饭都凉透了，再也不会点这家"),
    _reviews("褒贬参半", "Mixed", "味道还可以，就是分量少了点"),
    _reviews(
        "长评",
        "A long one",
        "朋友推荐来的，环境确实雅致。招牌烤鱼外焦里嫩，味道没得说！可惜上菜太慢，等了快一个小时。"
        "问服务员，只说再等等，态度很敷衍。最后结账还多算了两瓶饮料；好在老板当场退了钱，还送了一盘水果。"
        "总的来说，味道值得再来，服务真要改一改。",
        aspects="味道，服务/态度，环境",
    ),
    _reviews(
        "一组评论",
        "Several reviews",
        "房间干净，窗外能看到江，早餐也丰富",
        "隔音太差，半夜一直能听到走廊里说话",
        "位置不错，价格也还行",
        "前台态度冷淡，押金拖了三天才退",
        "床很舒服，一觉睡到天亮",
        "照片和实物差得太远，很失望",
        aspects="位置，前台/态度，隔音",
    ),
)

PRODUCTS = (
    _products(
        "两支钢笔",
        "Two pens",
        (
            "书写顺滑，出水均匀，握着也舒服",
            "笔尖很细腻，抄书一晚上都不累",
            "颜值高，送朋友他很喜欢",
            "墨囊容量小了点，其他都满意",
            "用了三个月没有漏墨，值得买",
            "包装简陋，笔倒是好写",
        ),
        (
            "写两行就断墨，太影响心情",
            "笔帽一拧就松，放包里漏了一片",
            "价格便宜，凑合能用",
            "刮纸严重，客服也不理人",
            "颜色和图片差很多，失望",
            "手感不错，就是偶尔断水",
        ),
    ),
    _products(
        "两家民宿",
        "Two guesthouses",
        (
            "院子里能看星星，老板还煮了姜茶",
            "床单干净，热水很足",
            "离车站有点远，打车不方便",
            "早餐是现磨的豆浆，很香",
            "墙太薄，隔壁说话都听得见",
        ),
        (
            "位置方便，出门就是古街",
            "房间有股霉味，换了房还是一样",
            "服务热情，帮忙提行李",
            "空调半夜坏了，没人来修",
            "窗外景色很美，会再来",
        ),
    ),
)
