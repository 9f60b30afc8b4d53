"""What each task's student learns from: rows of the data pack and rows made by rule, with targets and weights.

A row is a text or a pair, a target (probabilities of the labels), and how often it is drawn an epoch.

Out of domain counts as much as at home, so sources are evened out, and within a source a positive pair of little
overlap and a negative one of much are drawn more often: what overlap alone would answer is learnt soonest anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipes import moods, rewrites
from recipes.data_pack import held_out_rows, read
from wenmo.adapt.dataset import Examples, TokenStore
from wenmo.adapt.objectives import ClassificationObjective
from wenmo.tasks.zero_shot import ENTAILMENT, ZERO_SHOT

EVERY = 10  # of the small sources each tenth row is held out, of the others those of `held_out_rows`


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """`second` is empty for single texts. `target` (N, K), `times` (N,): draws an epoch, 0.3 being 3 epochs of 10."""

    first: list[str]
    second: list[str]
    target: np.ndarray
    times: np.ndarray
    source: list[str]

    def __len__(self) -> int:
        return len(self.first)

    @staticmethod
    def join(parts: Sequence[Mixture]) -> Mixture:
        return Mixture(
            first=[text for part in parts for text in part.first],
            second=[text for part in parts for text in part.second],
            target=np.concatenate([part.target for part in parts]),
            times=np.concatenate([part.times for part in parts]),
            source=[name for part in parts for name in part.source],
        )

    def objective(self, store: TokenStore, *, symmetric: bool) -> ClassificationObjective:
        """Cross-entropy against the targets; each epoch draws its rows anew."""
        examples = self.examples(store)

        def draw(rng: np.random.Generator) -> Examples:
            return examples.take(self.drawn(rng))

        return ClassificationObjective(draw=draw, symmetric=symmetric)

    def examples(self, store: TokenStore) -> Examples:
        """The rows in `store`; the label is the likeliest."""
        first = store.add(self.first)
        second = store.add(self.second) if self.second else np.full(len(first), -1, np.int32)
        label = self.target.argmax(1).astype(np.int64)
        return Examples(first=first, second=second, label=label, target=self.target.astype(np.float32))

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """The rows of an epoch, by `times`."""
        return np.repeat(np.arange(len(self)), (self.times + rng.random(len(self))).astype(int))


def _one_hot(label: np.ndarray, count: int, *, smooth: float = 0.0) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[label] * (1 - smooth) + smooth / count


def _kept(rows: int, *, small: bool) -> np.ndarray:
    held = np.arange(0, rows, EVERY) if small else held_out_rows(rows)
    return np.setdiff1d(np.arange(rows), held)


def overlap(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """(N,) Jaccard index of the characters of both texts."""
    found = np.empty(len(first))
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        a, b = set(one), set(other)
        found[place] = len(a & b) / max(1, len(a | b))
    return found


def similarity(data: Path, *, times: dict[str, float], made: int, seed: int) -> Mixture:
    """Pairs of all sources but the graded one, which thresholds are judged on."""
    parts = []
    for name, small in (("train", False), ("more", True)):
        first, second, label, source = read(
            data / "similarity" / f"{name}.parquet", "text_a", "text_b", "label", "source"
        )
        rows = _kept(len(first), small=small).tolist()
        first, second, source = ([column[row] for row in rows] for column in (first, second, source))
        same = np.asarray([label[row] for row in rows], dtype=np.int64)
        shared = overlap(first, second)
        unlike = np.where(same == 1, 1 - shared, shared)
        parts.append(
            Mixture(
                first=first,
                second=second,
                target=_one_hot(same, 2, smooth=0.02),
                times=np.asarray([times.get(name, 1.0) for name in source]) * (0.45 + 1.1 * unlike),
                source=source,
            )
        )
    own = Mixture.join(parts)
    sentences = [text for text in own.first if 4 <= len(text) <= 30]
    same_pairs = [
        (one, other)
        for one, other, target in zip(own.first, own.second, own.target[:, 1].tolist(), strict=True)
        if target > 0.5 and len(one) <= 30
    ]
    pairs = rewrites.made_pairs(sentences, same_pairs, made, seed=seed)
    by_rule = Mixture(
        first=[one for one, _, _ in pairs],
        second=[other for _, other, _ in pairs],
        target=_one_hot(np.asarray([label for _, _, label in pairs]), 2, smooth=0.06),
        times=np.ones(len(pairs)),
        source=["made"] * len(pairs),
    )
    # No corpus has them, and rows of much overlap are seldom drawn: without these, a sentence is not sure to be itself,
    # and the less so the longer it is.
    others = [
        text
        for file, column in (("sentiment/train.parquet", "text"), ("nli/train.parquet", "premise"))
        for text in read(data / file, column)[0]
    ]
    of_all_kinds = [*dict.fromkeys(sentences), *(text for text in others if 4 <= len(text) <= 60)]
    chosen = [of_all_kinds[row] for row in np.random.default_rng(seed).permutation(len(of_all_kinds))[: made // 2]]
    itself = Mixture(
        first=chosen,
        second=chosen,
        target=_one_hot(np.ones(len(chosen), dtype=np.int64), 2, smooth=0.02),
        times=np.full(len(chosen), 3.0),
        source=["itself"] * len(chosen),
    )
    return Mixture.join([own, by_rule, itself])


def inference(data: Path, *, times: dict[str, float]) -> Mixture:
    """Premise and hypothesis, three labels."""
    parts = []
    for name in ("train", "idioms"):
        first, second, label, source = read(
            data / "nli" / f"{name}.parquet", "premise", "hypothesis", "label", "source"
        )
        rows = _kept(len(first), small=False).tolist()
        ids = np.asarray([ZERO_SHOT.label_names.index(label[row]) for row in rows])
        parts.append(
            Mixture(
                first=[first[row] for row in rows],
                second=[second[row] for row in rows],
                target=_one_hot(ids, 3),
                times=np.asarray([times.get(source[row], 1.0) for row in rows]),
                source=[source[row] for row in rows],
            )
        )
    return Mixture.join(parts)


def sentence_pairs(data: Path, *, times: dict[str, float], made: int, seed: int) -> Mixture:
    """Pairs for vectors: those of similarity, and of inference entailment as the same, contradiction as different."""
    related = inference(data, times=times)
    label = related.target.argmax(1)
    rows = np.flatnonzero(label != ZERO_SHOT.label_names.index("neutral")).tolist()
    two_way = Mixture(
        first=[related.first[row] for row in rows],
        second=[related.second[row] for row in rows],
        target=_one_hot((label[rows] == ENTAILMENT).astype(np.int64), 2),
        times=related.times[rows],
        source=[related.source[row] for row in rows],
    )
    return Mixture.join([similarity(data, times=times, made=made, seed=seed), two_way])


def sentiment(data: Path, *, times: dict[str, float], made: int, seed: int) -> Mixture:
    """Reviews, reviews made by rule, and texts that are neither praise nor blame."""
    text, label, source = read(data / "sentiment" / "train.parquet", "text", "label", "source")
    rows = _kept(len(text), small=False).tolist()
    own = Mixture(
        first=[text[row] for row in rows],
        second=[],
        target=_one_hot(np.asarray([label[row] for row in rows]), 2, smooth=0.04),
        times=np.asarray([times.get(source[row], 1.0) for row in rows]),
        source=[source[row] for row in rows],
    )
    short = tuple(
        [
            one
            for one, target, name in zip(own.first, own.target[:, 1].tolist(), own.source, strict=True)
            if len(one) < 18 and (target > 0.5) == good and name in ("waimai", "online_shopping")
        ]
        for good in (False, True)
    )
    pairs = moods.made_reviews((short[0], short[1]), neutral_texts(data, seed=seed), made, seed=seed)
    positive = np.asarray([target for _, target in pairs], dtype=np.float32)
    by_rule = Mixture(
        first=[one for one, _ in pairs],
        second=[],
        target=np.stack([1 - positive, positive], axis=1),
        times=np.ones(len(pairs)),
        source=["made"] * len(pairs),
    )
    return Mixture.join([own, by_rule])


def neutral_texts(data: Path, *, seed: int) -> list[str]:
    """Questions, commands and headlines: neither praise nor blame."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    for path, column, wanted, count in (
        ("similarity/train.parquet", "text_a", ("lcqmc",), 6000),
        ("similarity/more.parquet", "text_a", ("bq", "oppo"), 4000),
        ("topics/train.parquet", "text", ("tnews", "cic", "csl"), 5000),
        ("nli/train.parquet", "premise", ("cmnli", "csnli"), 3000),
        ("text/pretrain.parquet", "text", ("weekly", "cmrc", "zhihu"), 2000),
    ):
        found, source = read(data / path, column, "source")
        chosen = [text for text, name in zip(found, source, strict=True) if name in wanted and 4 <= len(text) <= 60]
        texts += [chosen[index] for index in rng.permutation(len(chosen))[:count]]
    return [text for text in texts if not _MOODY.intersection(text)]


_MOODY = set("好坏差赞爱恨烂棒垃喜讨厌满失望后悔骗坑死怒气哭笑惨美丑贵惊")
