"""Short reviews made by rule: praise and blame that do not lie in a single word of praise or blame.

Negated adjectives, a verdict after a contrast, what people did afterwards (bought again, sent back the same day), slang,
and words so short that corpora of reviews hardly have them. Targets are soft where people would differ: a mixed review
leans to its last clause, and what is neither praise nor blame (questions, news, commands) is one half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_THINGS = (
    "味道 口感 分量 服务 环境 卫生 位置 房间 早餐 前台 床 隔音 物流 快递 包装 客服 质量 做工 面料 颜色 尺码 款式 手感 屏幕 电池 续航 音质 拍照 信号 系统 "
    "键盘 散热 外观 说明书 价格 内容 情节 文笔 翻译 印刷 纸张 演员 剧本 特效 配乐 老师 课程 售后 师傅 安装 停车 菜品 汤 肉 米饭 奶茶 水果 送餐 司机 "
    "车况 洗发水 面膜 鞋子 裤子 外套 被子 锅 吸尘器 热水器 空调 耳机 充电器 手机 平板 电脑 书 电影 酒店 餐厅 店员 医生 健身房 教练"
).split()
_GOOD = "好 满意 舒服 干净 新鲜 漂亮 清晰 流畅 贴心 实惠 结实 好用 好吃 好看 划算 靠谱 专业 耐心 细致 精致 安静 方便 准时 热情 柔软 耐用 正宗 值 惊艳 感人 精彩".split()
_BAD = "差 失望 难受 脏 难吃 难看 模糊 卡 敷衍 贵 粗糙 难用 吵 慢 冷淡 油腻 单调 无聊 坑 劣质 刺鼻 廉价 陈旧 混乱 死板 啰嗦 难闻 麻烦 磨脚 掉色".split()
_FAULTS = "毛病 问题 异味 色差 缺点 瑕疵 噪音 线头 破损 杂质 套路 隐形消费".split()
_VERBS = "用 吃 看 穿 住 听 喝 读 逛 玩".split()

# {t} a thing, {g} a word of praise, {b} one of blame, {f} a fault, {v} a verb; the target is of "positive".
_FORMS: tuple[tuple[str, float], ...] = (
    ("{t}不{b}", 0.85), ("{t}一点都不{b}", 0.95), ("{t}一点也不{b}", 0.95), ("{t}不算{b}", 0.75), ("{t}并不{b}", 0.85), ("{t}没有想象中那么{b}", 0.8), ("谁说{t}{b}的，明明很{g}", 0.95),
    ("{t}没什么不{g}的", 0.85), ("没有一处不{g}", 0.95), ("{t}挑不出{f}", 0.95), ("{t}没有{f}", 0.9), ("{t}完全没有{f}", 0.95), ("用了很久{t}都没有{f}", 0.95), ("{t}再{g}不过了", 0.97),
    ("从没{v}过{t}这么{g}的", 0.95), ("没想到{t}这么{g}", 0.95), ("不得不说{t}真{g}", 0.97), ("{t}不但不{b}，还很{g}", 0.95), ("除了{t}{g}还是{t}{g}", 0.9), ("找不到比它{t}更{g}的了", 0.95),
    ("本以为{t}会{b}，结果很{g}", 0.93), ("{t}不{g}你来找我", 0.9), ("哪有人说的那么{b}，{t}挺{g}", 0.92), ("我不觉得{t}{b}", 0.8), ("{t}比以前{g}多了", 0.88), ("{t}绝不{b}", 0.92),
    ("{t}不{g}", 0.1), ("{t}一点都不{g}", 0.04), ("{t}一点也不{g}", 0.04), ("{t}不怎么{g}", 0.12), ("{t}谈不上{g}", 0.15), ("{t}没有想象中{g}", 0.12), ("{t}没有宣传的那么{g}", 0.1),
    ("{t}算不上{g}", 0.18), ("{t}哪里{g}了", 0.06), ("我不觉得{t}{g}", 0.1), ("{t}有{f}", 0.1), ("{t}全是{f}", 0.03), ("刚{v}一次{t}就有{f}", 0.04), ("{t}再{b}不过了", 0.03), ("说好的{t}{g}呢", 0.07),
    ("本以为{t}会{g}，结果很{b}", 0.05), ("{t}从来没{g}过", 0.05), ("没见过{t}这么{b}的", 0.03), ("{t}要是{g}一点就好了", 0.15), ("希望{t}能{g}一些", 0.2), ("{t}不能再{b}了", 0.03), ("除了{t}{g}一无是处", 0.07),
    ("{t}越来越{b}了", 0.05), ("{t}没有一次{g}的", 0.04), ("{t}{g}个鬼", 0.03), ("可能我要求高，{t}真不{g}", 0.1), ("{t}也就那样，不{g}", 0.12), ("号称{t}{g}，其实{b}", 0.05), ("{t}这么{b}也好意思卖", 0.03),
    ("{t}{g}，就是{t2}有点{b}", 0.6), ("{t}{g}，可惜{t2}{b}", 0.3), ("{t}{g}，但是{t2}太{b}，不推荐", 0.06), ("虽然{t}{g}，但{t2}实在{b}", 0.15), ("{t}还行，{t2}{b}得受不了", 0.07), ("{t}是{g}，可{t2}{b}得没法{v}", 0.06),
    ("{t}{b}，不过{t2}很{g}", 0.7), ("虽然{t}有点{b}，但{t2}真的{g}", 0.87), ("{t}是{b}了点，好在{t2}{g}，推荐", 0.92), ("就算{t}{b}，冲着{t2}{g}也值", 0.92), ("{t}{b}点没关系，{t2}{g}就够了", 0.9), ("{t}{b}，{t2}也{b}", 0.03), ("{t}{g}，{t2}也{g}", 0.97),
)  # fmt: skip

_AFTER_GOOD = (
    "{n}天{v}了{n2}次", "又下单了{n}个", "这是第{n}次买了", "给{w}也买了一份", "推荐给了{w}", "{w}也说好", "{w}看到都问我在哪买的", "准备再囤几{m}", "{v}完马上又订了", "一口气{v}到天亮", "{v}了{n}年还跟新的一样",
    "{w}抢着{v}", "舍不得{v}完", "{v}过一次就离不开了", "每次路过都要进去", "以后就认准这家了", "收藏了，下次还来", "会一直支持", "光盘了", "排队也愿意", "连{w}这么挑剔的人都夸", "早知道就多买几{m}",
    "天天都在{v}", "别家都不想去了", "{n}个人点的，一点没剩", "被{w}夸了一整天", "已经是老顾客了", "后悔买少了", "终于不用再换别的了", "每晚都要{v}一会儿才睡", "{w}说下周还要来",
)  # fmt: skip
_AFTER_BAD = (
    "{v}了{n}次就坏了", "当天就申请退了", "{n}天不到就扔了", "一直放着没{v}", "送人都没人要", "{w}{v}了直摇头", "{v}到一半就走了", "打了{n}次电话没人接", "等了{n}个小时才来", "退款拖了{n}天", "转手就卖了", "再也不敢买了",
    "{v}完肚子疼了一晚上", "回去就吐了", "洗一次就变形了", "找客服，没有人回", "换了{n}次还是这样", "已经投诉了", "直接倒进垃圾桶", "过敏起了一脸", "{w}再也不肯去了", "拆开就少了{n}个零件", "寄来就是碎的", "白等了{n}天",
    "刚过保修期就罢工", "钱花了，罪也受了", "下次绕着走", "以后不会再光顾", "就当花钱买教训", "差点投诉", "{n}天修了{n2}次", "买回来就一直吃灰", "还得自己重新弄一遍", "{v}了一口就放下了",
)  # fmt: skip
_PEOPLE = "我妈 爸妈 老公 老婆 同事 闺蜜 室友 孩子 婆婆 朋友 全家人 邻居 外婆 老师 男朋友 女儿 儿子".split()
_MEASURES = "箱 包 盒 双 件 套 瓶 袋".split()

_SLANG_GOOD = (
    "绝了 太绝了 绝绝子 yyds 永远的神 封神 神仙单品 神作 真香 好评如潮 无限回购 闭眼入 放心冲 赶紧冲 冲鸭 血赚 赚到了 捡到宝了 宝藏店铺 良心卖家 业界良心 天花板级别 吊打同价位 性价比之王 爱了 爱了爱了 爱死了 "
    "种草成功 已种草 强推 安利给大家 吹爆 狂赞 满分 五星好评 给跪了，太好了 惊艳到我了 好到飞起 好哭 香哭了 巨好吃 巨好看 超级赞 赞爆 杠杠的 顶呱呱 没谁了 稳 666 牛 牛逼 nice 奈斯 棒棒哒 萌化了 暖心 走心 "
    "上头 停不下来 嗑到了 美滋滋 么么哒 比心 给力 靠谱 靠谱得很 值爆 不踩雷 零差评 挖到宝 一生推 梦中情店 幸福感爆棚 治愈 甜炸 无可挑剔 挑不出毛病 可圈可点"
).split()
_SLANG_BAD = (
    "踩雷 踩大雷 避雷 大型翻车现场 翻车 拔草 智商税 交智商税了 割韭菜 韭菜本菜 坑 巨坑 坑人 坑货 坑爹 黑店 奸商 无良商家 垃圾 辣鸡 垃圾中的战斗机 大冤种 冤大头 被骗了 上当 上当受骗 骗子 照骗 买家秀和卖家秀 "
    "货不对板 挂羊头卖狗肉 辣眼睛 一言难尽 呵呵 呵呵哒 无语 无语死了 醉了 也是醉了 服了 真的服了 吐了 要吐了 恶心 离谱 太离谱 离大谱 拉胯 拉垮 烂 烂透了 烂片 渣 渣渣 鸡肋 智熄 血亏 亏大了 心态崩了 破防了 "
    "气死 气死我了 差到家 差劲 差评 负分 零分 劝退 快跑 别买 千万别买 谁买谁后悔 后悔死了 白瞎了 浪费钱 浪费时间 再见 拉黑 绝了，没见过这么差的 寒心 糟心 闹心 下头 塌房 一塌糊涂 惨不忍睹 无力吐槽 槽点太多 差强人意 敷衍了事 店大欺客"
).split()
_EMOJI_GOOD = "👍 😊 😍 😋 ❤ 💕 🎉 👏 😘 😄 😁 🌹 💯 ✨ 😆 🤩 😎 👌 💪 🥰 ☺ 🔥 🌟".split()
_EMOJI_BAD = "👎 😡 😤 😭 💔 😞 😠 🤮 😒 🙄 💩 😩 😫 😣 🤢 😢 😰 ❌ 😖 😨 😓".split()
_KAOMOJI_GOOD = ("^_^", "(≧▽≦)", ":)", "(*^▽^*)", "O(∩_∩)O", "\\(^o^)/", "=^_^=")
_KAOMOJI_BAD = ("T_T", "QAQ", "TAT", ":(", "(╯°□°)╯", "=_=", "-_-", "orz", "(>_<)")
_SHORT = (
    ("好", 0.93), ("很好", 0.97), ("好好好", 0.95), ("不错", 0.93), ("还不错", 0.9), ("挺好", 0.94), ("满意", 0.96), ("很满意", 0.98), ("棒", 0.96), ("赞", 0.96), ("完美", 0.98), ("喜欢", 0.96), ("可以", 0.75), ("还可以", 0.7), ("还行", 0.62), ("还行吧", 0.56),
    ("一般", 0.36), ("一般般", 0.32), ("就那样", 0.27), ("凑合", 0.4), ("马马虎虎", 0.42), ("普普通通", 0.42), ("中规中矩", 0.5), ("无功无过", 0.48), ("差", 0.05), ("很差", 0.02), ("太差了", 0.02), ("不好", 0.05), ("不行", 0.08), ("不满意", 0.03), ("失望", 0.04),
    ("垃圾", 0.02), ("退货", 0.1), ("退了", 0.12), ("烂", 0.03), ("难吃", 0.03), ("好吃", 0.96), ("好看", 0.95), ("难看", 0.04), ("差评", 0.02), ("好评", 0.97), ("中评", 0.45), ("不推荐", 0.05), ("推荐", 0.95), ("别来", 0.05), ("必买", 0.95), ("不值", 0.06), ("值", 0.92), ("超值", 0.97),
    ("贵", 0.2), ("便宜", 0.8), ("慢", 0.12), ("快", 0.8), ("后悔", 0.06), ("不后悔", 0.9), ("不差", 0.82), ("不坏", 0.75), ("没毛病", 0.92), ("没问题", 0.85), ("有问题", 0.12), ("没意思", 0.1), ("有意思", 0.9), ("没用", 0.07), ("有用", 0.9), ("无感", 0.35), ("哼", 0.15), ("呸", 0.04), ("唉", 0.2), ("哎", 0.25), ("哇", 0.85), ("哈哈", 0.8), ("嗯", 0.55), ("哦", 0.42), ("666", 0.93), ("233", 0.7),
)  # fmt: skip
_IRONY = (
    ("真{g}啊，{bad}", 0.04), ("可真{g}，{bad}", 0.04), ("太{g}了，{bad}", 0.06), ("谢谢你们的{t}，{bad}", 0.05), ("恭喜，{bad}", 0.06), ("不愧是大牌，{bad}", 0.05), ("服务真{g}，{bad}", 0.04), ("{t}真是{g}得很，{bad}", 0.05), ("厉害，{bad}", 0.06),
    ("{t}{g}到{bad}", 0.08), ("五星好评？{bad}", 0.05), ("唯一的缺点是{good}", 0.94), ("缺点就是太{g}，{good}", 0.95), ("完了，{good}", 0.9), ("气死我了，{good}", 0.85), ("警告：{good}", 0.9), ("怪我，{good}", 0.85), ("求你们别再{g}了，{good}", 0.92),
)  # fmt: skip


class _Draw:
    """Values for the forms."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def of(self, words: Sequence[str]) -> str:
        return words[int(self.rng.integers(len(words)))]

    def values(self) -> dict[str, str]:
        first, second = (str(word) for word in self.rng.choice(_THINGS, 2, replace=False))
        return {
            "t": first, "t2": second, "g": self.of(_GOOD), "b": self.of(_BAD), "f": self.of(_FAULTS), "v": self.of(_VERBS),
            "n": self.of("两 三 四 五 3 2 5 十 8 半".split()), "n2": self.of("三 四 五 六 2 3".split()), "w": self.of(_PEOPLE), "m": self.of(_MEASURES),
        }  # fmt: skip

    def after(self, good: bool) -> str:
        return self.of(_AFTER_GOOD if good else _AFTER_BAD).format(**self.values())


def made_reviews(
    clauses: tuple[Sequence[str], Sequence[str]], neutral: Sequence[str], count: int, *, seed: int
) -> list[tuple[str, float]]:
    """`count` texts with the probability of "positive" that is to be learnt.

    `clauses` are short real reviews, negative and positive; `neutral` are texts that are neither.
    """
    rng = np.random.default_rng(seed)
    draw = _Draw(rng)
    made: list[tuple[str, float]] = []
    while len(made) < count:
        kind = rng.random()
        good = bool(rng.random() < 0.5)
        if kind < 0.26:
            form, target = _FORMS[int(rng.integers(len(_FORMS)))]
            text = form.format(**draw.values())
        elif kind < 0.4:
            text, target = draw.after(good), 0.93 if good else 0.06
            if rng.random() < 0.3:
                text = f"{text}，{draw.after(good)}"
        elif kind < 0.52:
            text, target = draw.of(_SLANG_GOOD if good else _SLANG_BAD), 0.96 if good else 0.04
            if rng.random() < 0.6:
                with_thing = f"{draw.of(_THINGS)}{draw.of(['', '真是', '简直', '，'])}{text}"
                text = with_thing if rng.random() < 0.7 else f"{text}，{draw.of(clauses[good])}"
        elif kind < 0.6:
            form, target = _IRONY[int(rng.integers(len(_IRONY)))]
            text = form.format(bad=draw.after(False), good=draw.after(True), **draw.values())
        elif kind < 0.72:  # a contrast of two real reviews: the last one has the verdict
            first, last = draw.of(clauses[not good]), draw.of(clauses[good])
            join = draw.of(
                [
                    "{}，但是{}",
                    "虽然{}，但{}",
                    "{}，不过{}",
                    "{}。可是{}",
                    "{}，好在{}" if good else "{}，可惜{}",
                    "{}，只是{}",
                    "先说{}，再说{}，总之" + ("推荐" if good else "不推荐"),
                ]
            )
            text, target = join.format(first.rstrip("。！!，,."), last), 0.8 if good else 0.17
        elif kind < 0.78:
            text, target = _SHORT[int(rng.integers(len(_SHORT)))]
            text += draw.of(["", "", "", "！", "。", "！！！", "~"])
        elif kind < 0.87:
            signs = _EMOJI_GOOD if good else _EMOJI_BAD
            sign = (
                draw.of(signs) * int(rng.integers(1, 4))
                if rng.random() < 0.8
                else draw.of(_KAOMOJI_GOOD if good else _KAOMOJI_BAD)
            )
            if rng.random() < 0.2:
                text = sign
            else:
                text = draw.of([draw.of(clauses[good]), draw.after(good), draw.of(_THINGS)]) + sign
            target = 0.96 if good else 0.04
        else:
            text, target = draw.of(neutral), 0.5
        made.append((text, target))
    return made
