"""What can be tried with one click on each page. Each example fills the fields named and is worked on at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wenmo.types import TaskName
from wenmo.ui.shell.localized import Text


@dataclass(frozen=True, kw_only=True)
class Example:
    """`name` stands on the button; `fields` maps the keys of widgets to what they shall hold."""

    name: Text
    fields: Mapping[str, object]


def _pair(zh: str, en: str, first: str, second: str) -> Example:
    return Example(name=Text(zh, en), fields={"pair_first": first, "pair_second": second})


def _ranking(zh: str, en: str, query: str, *candidates: str) -> Example:
    return Example(name=Text(zh, en), fields={"ranking_query": query, "ranking_candidates": "\n".join(candidates)})


def _matrix(zh: str, en: str, *sentences: str) -> Example:
    return Example(name=Text(zh, en), fields={"matrix_sentences": "\n".join(sentences)})


def _mood(zh: str, en: str, *texts: str, aspects: str = "") -> Example:
    return Example(name=Text(zh, en), fields={"sentiment_texts": "\n".join(texts), "sentiment_aspects": aspects})


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


def _comparison(task: TaskName, zh: str, en: str, *lines: str, **more: str) -> Example:
    return Example(name=Text(zh, en), fields={f"compare_{task}_texts": "\n".join(lines), **more})


PAIRS = (
    _pair("换个说法", "Other words", "周末去哪儿爬山", "周末爬山去哪里好"),
    _pair("同题异问", "Same topic", "这款手机的电池能用多久", "这款手机的屏幕有多大"),
    _pair("语序相反", "Turned around", "从北京飞到广州要多久", "从广州飞到北京要多久"),
    _pair("毫不相干", "Unrelated", "红烧肉怎么做才不腻", "明天下午三点要开会吗"),
)

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

MOODS = (
    _mood("欣喜", "Glad", "汤头很鲜，牛肉很足，老板也热情，还送了一碟泡菜，下次还来"),
    _mood("不满", "Angry", "等了两个小时才送到，饭都凉透了，再也不会点这家"),
    _mood("褒贬参半", "Mixed", "味道还可以，就是分量少了点"),
    _mood(
        "长评",
        "A long one",
        "朋友推荐来的，环境确实雅致。招牌烤鱼外焦里嫩，味道没得说！可惜上菜太慢，等了快一个小时。"
        "问服务员，只说再等等，态度很敷衍。最后结账还多算了两瓶饮料；好在老板当场退了钱，还送了一盘水果。"
        "总的来说，味道值得再来，服务真要改一改。",
        aspects="味道，服务/态度，环境",
    ),
    _mood(
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


def _products(zh: str, en: str, first: Sequence[str], second: Sequence[str]) -> Example:
    return Example(name=Text(zh, en), fields={"products_first": "\n".join(first), "products_second": "\n".join(second)})


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

# For two models or precisions: what is easy, and what lies near the border between two answers.
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
