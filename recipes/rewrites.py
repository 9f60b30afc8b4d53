"""Pairs made by rule: the same sentence in other words, and another meaning in almost the same words.

Corpora of pairs teach overlap: what shares most of its characters is labelled the same far more often than not. These
pairs say the opposite. A sentence gets another meaning by one change (an opposite, a number, a day, another thing of the
same kind, a negation, another question word, two names or places exchanged), and keeps its meaning through several
(synonyms, politeness, digits for numerals, voice, comparison from the other side, a double negation).

Both kinds go through the same surface changes, so that none of these gives the label away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from recipes import lexicon

_Pairs = list[tuple[str, str]]


def _pairs(text: str) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for group in text.replace("\n", "|").split("|"):
        words = group.split()
        for word in words:
            table.setdefault(word, []).extend(other for other in words if other != word)
    return table


_OPPOSITES, _SYNONYMS, _KINDS = _pairs(lexicon.OPPOSITES), _pairs(lexicon.SYNONYMS), _pairs(lexicon.KINDS)
_DEGREE = "很太更最真挺好不越比较有点非常特别这么那么"


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Longest first; a single character only behind a word of degree or in front of the end of a clause."""
    several = sorted((word for word in words if len(word) > 1), key=len, reverse=True)
    single = "".join(word for word in words if len(word) == 1 and word not in "先后有爱大小多少男女买卖")
    alone = f"(?<=[{_DEGREE}])[{single}](?=[了吗的，。！？]|$)" if single else "(?!)"
    return re.compile("|".join([*map(re.escape, several), alone]))


_OPPOSITE_AT, _SYNONYM_AT, _KIND_AT = (_pattern(list(table)) for table in (_OPPOSITES, _SYNONYMS, _KINDS))


def _exchange(
    text: str, at: re.Pattern[str], table: dict[str, list[str]], rng: np.random.Generator, *, times: int = 1
) -> str | None:
    """`times` of the words found in `text`, each for one of its others; None where none is found."""
    found = list(at.finditer(text))
    if not found:
        return None
    chosen = sorted(rng.permutation(len(found))[:times], reverse=True)
    for index in chosen:
        match = found[index]
        text = text[: match.start()] + str(rng.choice(table[match[0]])) + text[match.end() :]
    return text


# --- another meaning ---


def opposite(text: str, rng: np.random.Generator) -> str | None:
    return _exchange(text, _OPPOSITE_AT, _OPPOSITES, rng)


def other_thing(text: str, rng: np.random.Generator) -> str | None:
    return _exchange(text, _KIND_AT, _KINDS, rng)


_NUMBER = re.compile(
    r"\d+(?:\.\d+)?|[一二两三四五六七八九十百千万]+(?=[天个年月日号点楼层块元斤岁次遍张本件人家米度分周页级班])"
)
_CALENDAR = [lexicon.DAYS, lexicon.WEEKDAYS, lexicon.MOMENTS, lexicon.PARTS_OF_DAY, lexicon.YEARS]
_CALENDAR_OF = {word: group for group in _CALENDAR for word in group}
_CALENDAR_AT = re.compile("|".join(_CALENDAR_OF))


def other_number(text: str, rng: np.random.Generator) -> str | None:
    found = [*_NUMBER.finditer(text), *_CALENDAR_AT.finditer(text)]
    if not found:
        return None
    match = found[int(rng.integers(len(found)))]
    word = match[0]
    if word in _CALENDAR_OF:
        new = str(rng.choice([other for other in _CALENDAR_OF[word] if other != word]))
    elif word[0].isdigit():
        if "." in word:
            new = f"{float(word) + float(rng.integers(1, 9)):.1f}"
        else:
            digits = list(word)
            place = int(rng.integers(len(digits)))
            digits[place] = str((int(digits[place]) + int(rng.integers(1, 9))) % 10)
            new = "".join(digits)
            if place == 0 and new[0] == "0":
                new = "1" + new
    else:
        new = str(rng.choice([digit for digit in "一两三四五六七八九十" if digit != word]))
    return text[: match.start()] + new + text[match.end() :] if new != word else None


_NEGATIONS: tuple[tuple[str, str], ...] = (
    ("可以", "不可以"), ("不可以", "可以"), ("不能", "能"), ("能用", "不能用"), ("不会", "会"), ("没有", "有"), ("不是", "是"), ("喜欢", "不喜欢"),
    ("需要", "不需要"), ("不需要", "需要"), ("收到了", "没收到"), ("成功了", "没成功"), ("有人", "没人"), ("必须", "不必"), ("允许", "不允许"), ("不想", "想"),
    ("想要", "不想要"), ("应该", "不应该"), ("知道", "不知道"), ("不知道", "知道"), ("认识", "不认识"), ("同意", "不同意"), ("愿意", "不愿意"), ("记得", "不用"),
    ("已经", "还没"), ("还没", "已经"), ("都", "不都"), ("每天", "从不"), ("总是", "从不"), ("经常", "很少"), ("所有", "没有"), ("全部", "一个也没有"), ("不要", "要"),
)  # fmt: skip


def negated(text: str, rng: np.random.Generator) -> str | None:
    if re.search(r"吗|不[^了]不|没有?没|能不能|是不是|有没有|会不会|可不可以|要不要", text):
        return None  # a question that asks for either is the same with and without the negation
    found = [(word, new) for word, new in _NEGATIONS if word in text]
    if not found:
        return None
    word, new = found[int(rng.integers(len(found)))]
    place = text.index(word)
    if place and text[place - 1] in "不没" and new.startswith(("不", "没")):
        return None
    return text.replace(word, new, 1)


_QUESTION_AT = re.compile("怎么(?!办|样|回事|了)|为什么|什么时候|在哪里|在哪儿|多少钱|多久|哪个好")


def other_question(text: str, rng: np.random.Generator) -> str | None:
    match = _QUESTION_AT.search(text)
    if match is None:
        return None
    others = [word for word in ("怎么", "为什么", "什么时候", "在哪里", "多少钱") if word != match[0]]
    return text[: match.start()] + str(rng.choice(others)) + text[match.end() :]


_SIDES = (
    re.compile(r"从([^，。到]{1,6})到([^，。怎要多有的]{1,6})"),
    re.compile(r"([^，。从把比]{1,4})比([^，。更还要]{1,4})(?=[高大好贵多快早重强])"),
)


def exchanged(text: str, rng: np.random.Generator) -> str | None:
    """The two sides of "from … to …" or "… than …"."""
    for pattern in _SIDES:
        match = pattern.search(text)
        if match is not None and match[1] != match[2]:
            (a, b), (c, d) = match.span(1), match.span(2)
            return text[:a] + match[2] + text[b:c] + match[1] + text[d:]
    return None


CHANGES: tuple[Callable[[str, np.random.Generator], str | None], ...] = (
    opposite, other_thing, other_number, negated, other_question, exchanged,
)  # fmt: skip


def changed(text: str, rng: np.random.Generator) -> str | None:
    """`text` with one change of meaning, None where no rule finds a place."""
    for index in rng.permutation(len(CHANGES)):
        new = CHANGES[index](text, rng)
        if new is not None and new != text:
            return new
    return None


# --- the same meaning ---


def in_other_words(text: str, rng: np.random.Generator, *, times: int) -> str:
    """Up to `times` synonyms."""
    return _exchange(text, _SYNONYM_AT, _SYNONYMS, rng, times=times) or text


_YES_NO = (
    (re.compile(r"能不能(.+?)[吗？?]?$"), r"可以\1吗"), (re.compile(r"可以(.+?)吗[？?]?$"), r"能不能\1"), (re.compile(r"能(.+?)吗[？?]?$"), r"可不可以\1"),
    (re.compile(r"是不是(.+?)[？?]?$"), r"是\1吗"), (re.compile(r"有没有(.+?)[？?]?$"), r"有\1吗"), (re.compile(r"有(.+?)吗[？?]?$"), r"有没有\1"),
    (re.compile(r"要不要(.+?)[？?]?$"), r"需要\1吗"), (re.compile(r"会不会(.+?)[？?]?$"), r"会\1吗"), (re.compile(r"会(.+?)吗[？?]?$"), r"会不会\1"),
)  # fmt: skip
_NUMERALS = dict(zip("1 2 3 4 5 6 7 8 9 10".split(), "一 两 三 四 五 六 七 八 九 十".split(), strict=True))
_AMOUNTS = (("半小时", "三十分钟"), ("半个小时", "30分钟"), ("一周", "七天"), ("一星期", "7天"), ("两周", "十四天"), ("一年", "十二个月"), ("半年", "六个月"), ("一斤", "五百克"), ("一公斤", "两斤"), ("一刻钟", "十五分钟"), ("一个小时", "六十分钟"), ("下午三点", "15点"), ("晚上八点", "20:00"), ("一百元", "100块"), ("一千块", "1000元"), ("一对", "两个"), ("一打", "十二个"))  # fmt: skip


def reformed(text: str, rng: np.random.Generator) -> str:
    """A yes-or-no question in its other form, a digit as a numeral, an amount in another unit."""
    ways: list[Callable[[], str]] = []
    ways += [lambda p=pattern, n=new: p.sub(n, text) for pattern, new in _YES_NO if pattern.search(text)]  # type: ignore[misc]
    digit = re.search(r"(?<!\d)([1-9]|10)(?=[天个年月楼层块元斤岁次遍张件人家米周点])", text)
    if digit:
        ways.append(lambda: text[: digit.start()] + _NUMERALS[digit[0]] + text[digit.end() :])
    for one, other in _AMOUNTS:
        for word, new in ((one, other), (other, one)):
            if word in text:
                ways.append(lambda w=word, n=new: text.replace(w, n, 1))  # type: ignore[misc]
    return ways[int(rng.integers(len(ways)))]() if ways else text


def dressed(text: str, rng: np.random.Generator) -> str:
    """Politeness, endings, spaces, width, case, an emoji: what does not touch the meaning."""
    kind = rng.random()
    bare = text.rstrip("？?。！!")
    if kind < 0.25:
        return str(rng.choice(lexicon.POLITE)).format(bare)
    if kind < 0.5:
        return bare + str(rng.choice(lexicon.NEUTRAL_ENDINGS))
    if kind < 0.58:
        return " ".join(bare) if len(bare) < 15 else bare
    if kind < 0.66:
        return bare + str(rng.choice(["🙏", "😊", "👀", "~", "哈", "哈哈"]))
    if kind < 0.74:
        return bare.upper() if rng.random() < 0.5 else bare.lower()
    return bare


# --- sentences about two sides ---


def of_two(rng: np.random.Generator) -> tuple[str, str, int]:
    """A pair about who does what to whom, and 1 where both sentences say the same."""
    a, b = (str(name) for name in rng.choice(lexicon.PEOPLE, 2, replace=False))
    kind = int(rng.integers(6))
    same = int(rng.random() < 0.5)
    if kind == 0:
        verb = str(rng.choice(lexicon.VERBS))
        if same:
            verb = str(rng.choice(lexicon.PASSIVE))
            return f"{a}{verb}{b}", f"{b}被{a}{verb}", 1
        if verb in lexicon.PASSIVE and rng.random() < 0.5:
            return f"{a}{verb}{b}", f"{a}被{b}{verb}", 0
        return f"{a}{verb}{b}", f"{b}{verb}{a}", 0
    if kind == 1:
        _, _, one, other = lexicon.CONVERSES[int(rng.integers(len(lexicon.CONVERSES)))]
        first = one.format(a=a, b=b)
        if same:
            return first, other.format(a=a, b=b), 1
        return first, (other if rng.random() < 0.6 else one).format(a=b, b=a), 0
    if kind in (2, 3):
        more, less = lexicon.COMPARISONS[int(rng.integers(len(lexicon.COMPARISONS)))]
        if rng.random() < 0.5:
            more, less = less, more
        first = f"{a}比{b}{more}"
        if same:
            return first, str(rng.choice([f"{b}比{a}{less}", f"{b}没有{a}{more}", f"{b}不如{a}{more}"])), 1
        return (
            first,
            str(rng.choice([f"{b}比{a}{more}", f"{a}比{b}{less}", f"{a}没有{b}{more}", f"{a}和{b}一样{more}"])),
            0,
        )
    if kind == 4:
        table = list(_KINDS)
        place = str(rng.choice(table))
        other = str(rng.choice(_KINDS[place]))
        form = str(rng.choice(lexicon.MOVES))
        first = form.format(a=place, b=other)
        if same:
            return first, dressed(in_other_words(first, rng, times=2), rng), 1
        return first, form.format(a=other, b=place), 0
    things = list(_KINDS)
    thing = str(rng.choice(things))
    other = str(rng.choice(_KINDS[thing]))
    forms = (
        (f"{thing}和{other}有什么区别", f"{other}跟{thing}哪里不一样")
        if same
        else (f"{thing}和{other}哪个好", f"{thing}和{other}有什么区别")
    )
    return forms[0], forms[1], same


_ALL_OR_NONE = (
    ("没有人不{v}{o}", "人人都{v}{o}", 1), ("没有人不{v}{o}", "没有人{v}{o}", 0), ("大家都{v}{o}", "没有一个人不{v}{o}", 1), ("大家都{v}{o}", "不是大家都{v}{o}", 0),
    ("不是所有人都{v}{o}", "有些人不{v}{o}", 1), ("不是所有人都{v}{o}", "所有人都不{v}{o}", 0), ("我不是不{v}{o}", "我其实{v}{o}", 1), ("我不是不{v}{o}", "我不{v}{o}", 0),
    ("只有我{v}{o}", "除了我没人{v}{o}", 1), ("只有我{v}{o}", "只有我不{v}{o}", 0), ("我也{v}{o}", "我也不{v}{o}", 0), ("我从来不{v}{o}", "我一次也没有{v}过{o}", 1),
    ("没有谁会不{v}{o}", "谁都会{v}{o}", 1), ("我不可能不{v}{o}", "我一定{v}{o}", 1), ("我不可能不{v}{o}", "我不可能{v}{o}", 0), ("很少有人{v}{o}", "大多数人不{v}{o}", 1),
    ("很少有人{v}{o}", "大多数人都{v}{o}", 0), ("谁不{v}{o}呢", "人人都{v}{o}", 1),
)  # fmt: skip
_MOOD_VERBS = "喜欢 知道 认识 相信 同意 支持 讨厌 关心 记得 了解 使用 参加 需要 羡慕".split()
_OBJECTS = "他 这件事 这首歌 这个办法 这位老师 那部电影 这个消息 这项规定 早起 运动 下雨天 榴莲 那家店 这个品牌 开会 加班".split()


def all_or_none(rng: np.random.Generator) -> tuple[str, str, int]:
    """Quantifiers and double negations."""
    one, other, same = _ALL_OR_NONE[int(rng.integers(len(_ALL_OR_NONE)))]
    values = {"v": str(rng.choice(_MOOD_VERBS)), "o": str(rng.choice(_OBJECTS))}
    pair = one.format(**values), other.format(**values)
    return (*(pair if rng.random() < 0.5 else pair[::-1]), same)


def made_pairs(
    sentences: Sequence[str], same: Sequence[tuple[str, str]], count: int, *, seed: int
) -> list[tuple[str, str, int]]:
    """`count` pairs with labels, half of them 1. `sentences` are rewritten, and the second ones of the pairs `same`."""
    rng = np.random.default_rng(seed)
    made: list[tuple[str, str, int]] = []
    wanted = [count // 2, count - count // 2]
    tries = 0
    while min(wanted) > 0 or max(wanted) > 0:
        tries += 1
        if tries > 60 * count:
            break
        kind = rng.random()
        if kind < 0.22:
            first, second, label = of_two(rng)
        elif kind < 0.27:
            first, second, label = all_or_none(rng)
        else:
            if kind < 0.6:
                first = second = sentences[int(rng.integers(len(sentences)))]
            else:
                first, second = same[int(rng.integers(len(same)))]
            label = int(rng.random() < 0.5)
            if label:
                second = in_other_words(reformed(second, rng), rng, times=int(rng.integers(1, 4)))
                if first == second:
                    continue
            else:
                new = changed(second, rng)
                if new is None:
                    continue
                second = in_other_words(new, rng, times=int(rng.integers(0, 2)))
            second = dressed(second, rng) if rng.random() < 0.4 else second
            first = dressed(first, rng) if rng.random() < 0.1 else first
        if wanted[label] <= 0 or first == second or not second.strip():
            continue
        wanted[label] -= 1
        made.append((first, second, label))
    return made
