"""What a task is: everything that engine, files, REST, command line, evaluation and adapting need to know of one.

A task is described once, as a TaskSpec in a module of its own; `table.py` lists them. Code that treats tasks alike
loops over that table and never names a task. See docs/adding-a-task.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.scores import best_first, softmax
from wenmo.tokenizer import Encoding, Tokenizer
from wenmo.types import Result


@dataclass(frozen=True, kw_only=True)
class LabelRole:
    """A label of a checkpoint by what it means.

    `name` is what our own checkpoints call it, `words` are others' names for it, in lower case. They tell which logit
    of a checkpoint has this role, and what a value in a file's column of labels stands for.
    """

    key: str
    name: str
    words: tuple[str, ...] = ()

    def means(self, word: str) -> bool:
        """Whether `word` is a name of this label, whatever its case."""
        plain = word.strip().casefold()
        return plain in (self.key, self.name.casefold()) or plain in self.words


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """The description of a task.

    `name` is the task's in Python, `slug` on the command line and in URLs. `inputs`: whether it reads single texts or
    pairs. `takes_labels`: whether the labels are typed by whoever asks (else they are the checkpoint's). `outputs`:
    what is read off the model, the classifier's logits or the mean of the last layer. `roles` are the labels of its
    checkpoints in the order of the logits. `calibrations` name the probabilities that have a temperature of their own.
    `bundled` is the model that is used where none is named, in assets/models/`name`. `hub_task` is ModelScope's name of
    the task in configuration.json, `hub_aliases` are further ones, `hub_ids` the models of its hub that are listed.
    `result` is what it answers, None for a task without results a row. `fixed_length`: the model reads 512 tokens
    whatever its files say.
    """

    name: str
    title: str
    title_zh: str
    summary: str
    inputs: Literal["text", "pair"]
    bundled: str
    hub_task: str
    result: type[Result] | None
    takes_labels: bool = False
    outputs: Literal["logits", "vectors"] = "logits"
    roles: tuple[LabelRole, ...] = ()
    calibrations: tuple[str, ...] = ()
    hub_aliases: tuple[str, ...] = ()
    hub_ids: tuple[str, ...] = ()
    fixed_length: bool = False

    @property
    def slug(self) -> str:
        return self.name.replace("_", "-")

    @property
    def label_names(self) -> tuple[str, ...]:
        """What our own checkpoints call their labels, in the order of the logits."""
        return tuple(role.name for role in self.roles)

    @property
    def two_class(self) -> bool:
        """Whether one probability says all: two labels of the checkpoint's own."""
        return len(self.roles) == 2 and not self.takes_labels

    def role_of(self, word: str) -> int | None:
        """The index of the label that `word` is a name of; None where it is none of them."""
        return next((index for index, role in enumerate(self.roles) if role.means(word)), None)

    def label_index(self, value: str, names: Sequence[str]) -> int | None:
        """The index in `names` of the label that a value in a file stands for; None if it stands for none of them.

        `names` are the labels of a model in the order of its logits, or those that were asked about. A value is a
        label's name or, unless the task takes labels, one of the words for its role, or its index. Case is ignored, and
        1.0 is 1: a column of integers with an empty cell becomes floats.
        """
        if value in names:
            return names.index(value)
        folded = [name.casefold() for name in names]
        plain = value.strip().casefold()
        for word in (plain, plain.removesuffix(".0")):
            if word in folded:
                return folded.index(word)
            if not self.takes_labels:
                role = self.role_of(word)
                if role is not None:
                    return role
                if word in map(str, range(len(self.roles))):
                    return int(word)
        return None

    def encode(self, tokenizer: Tokenizer, items: Sequence[Any], *, max_length: int) -> list[Encoding]:
        """One encoding for each text or pair."""
        encode: Callable[..., list[Encoding]] = encode_pairs if self.inputs == "pair" else encode_texts
        return encode(tokenizer, items, max_length=max_length)

    def decode(
        self,
        logits: np.ndarray,
        encodings: Sequence[Encoding],
        *,
        labels: Sequence[str],
        temperatures: Mapping[str, float],
    ) -> list[Any]:
        """Results of `logits` (N, labels), in order. `labels` are the checkpoint's names.

        Not for tasks that take labels, whose answers are made of several encodings.
        """
        assert self.result is not None, self.name
        all_probabilities = softmax(logits, temperature=temperatures.get(self.calibrations[0], 1.0))
        results = []
        for row, probabilities, encoding in zip(logits, all_probabilities, encodings, strict=True):
            scores = best_first(labels, probabilities)
            label, score = next(iter(scores.items()))
            own = {self.result.probability: float(probabilities[-1])} if self.result.probability else {}
            results.append(
                self.result(
                    label=label,
                    score=score,
                    scores=scores,
                    truncated=encoding.truncated,
                    logits=(tuple(row.tolist()),),
                    **own,
                )
            )
        return results
