"""The description of a task, used by engine, files, REST, command line, evaluation and adapting.

Each task is one TaskSpec in a module of its own; `table.py` lists them. Code that treats all tasks alike loops over
that table and never names a task. See docs/adding-a-task.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from wenmo.errors import Language
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.scores import ranking, softmax
from wenmo.tokenizer import Encoding, Tokenizer
from wenmo.types import Result


@dataclass(frozen=True, kw_only=True)
class LabelRole:
    """The meaning of a label, whatever a checkpoint or a file calls it.

    `name` is its name in the bundled checkpoints, `words` are other names for it, in lower case and with _ between
    words. They are matched against the label map of a checkpoint and against the values in a file's label column. A
    checkpoint may lack an `optional` label.
    """

    key: str
    name: str
    words: tuple[str, ...] = ()
    optional: bool = False

    def means(self, word: str) -> bool:
        """Whether `word` is a name of this label, in any case, and with any of space, hyphen and _ between words."""
        plain = _BETWEEN_WORDS.sub("_", word.strip().casefold())
        return plain in (self.key, self.name.casefold()) or plain in self.words


_BETWEEN_WORDS = re.compile(r"(?<=[^\W_])[\s_-]+(?=[^\W_])")


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """The description of a task.

    `name` is the task's name in Python, `slug` that on the command line and in URLs. `inputs` are single texts or
    pairs. `takes_labels`: the caller gives the labels (otherwise they are the checkpoint's). `outputs` of the model are
    the classifier's logits, or vectors of the last layer. `roles` are the labels of its checkpoints in the order of the
    logits. `calibrations` name the probabilities that have a temperature of their own. `bundled` is the default model,
    in assets/models/`name`, "" where there is none; `adapts` is then the one that adapting begins with. `hub_task` is
    ModelScope's name of the task in configuration.json, `hub_aliases` are further names, `hub_general` those of wider
    tasks, whose models serve this one if their labels say so. `hub_ids` are the hub's models to list. `result` is the
    type of its results, None for a task without one per row. `fixed_length`: the maximum length is 512 tokens whatever
    the checkpoint says.
    """

    name: str
    title: str
    title_zh: str
    summary: str
    inputs: Literal["text", "pair"]
    hub_task: str
    result: type[Result] | None
    bundled: str = ""
    adapts: str = ""
    takes_labels: bool = False
    outputs: Literal["logits", "vectors"] = "logits"
    roles: tuple[LabelRole, ...] = ()
    calibrations: tuple[str, ...] = ()
    hub_aliases: tuple[str, ...] = ()
    hub_general: tuple[str, ...] = ()
    hub_ids: tuple[str, ...] = ()
    fixed_length: bool = False

    @property
    def slug(self) -> str:
        return self.name.replace("_", "-")

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels of the bundled checkpoints, in the order of the logits."""
        return tuple(role.name for role in self.roles)

    @property
    def two_class(self) -> bool:
        """Whether the checkpoint has two labels of its own, so that one probability says everything."""
        return len(self.roles) == 2 and not self.takes_labels

    @property
    def any_labels(self) -> bool:
        """Whether its checkpoints have any number of labels, of any meaning."""
        return self.outputs == "logits" and not self.roles

    def order_of(self, labels: Sequence[str]) -> tuple[int, ...] | None:
        """For each role, the index of the label that means it; without those optional ones that no label means.

        None unless each label means a role of its own.
        """
        found = [self.role_of(label) for label in labels]
        if None in found or len(set(found)) < len(found):
            return None
        if any(not role.optional and index not in found for index, role in enumerate(self.roles)):
            return None
        return tuple(found.index(index) for index in range(len(self.roles)) if index in found)

    def role_of(self, word: str) -> int | None:
        """The index of the label that `word` is a name of, or None."""
        return next((index for index, role in enumerate(self.roles) if role.means(word)), None)

    def label_in(self, label: str, language: Language) -> str:
        """A label of a model of this task for a reader: the Chinese name of a role in English where that is `language`.

        Labels that a visitor gave, and those of models with labels of their own, stay as they are.
        """
        if language == "zh" or self.takes_labels:
            return label
        return next((role.key for role in self.roles if role.name == label), label)

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
                if word in map(str, range(len(names))):
                    return int(word)
        return None

    def encode(self, tokenizer: Tokenizer, items: Sequence[Any], *, max_length: int) -> list[Encoding]:
        """One encoding per text or pair."""
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
        """The results for `logits` (N, labels), in order. `labels` are the checkpoint's names.

        Not for tasks that take labels, whose results combine several encodings.
        """
        assert self.result is not None, self.name
        all_probabilities = softmax(logits, temperature=temperatures.get(self.calibrations[0], 1.0))
        results = []
        for row, probabilities, encoding in zip(logits, all_probabilities, encodings, strict=True):
            fields = ranking(labels, probabilities)
            if self.result.probability:
                fields[self.result.probability] = float(probabilities[-1])
            results.append(self.result(**fields, truncated=encoding.truncated, logits=(tuple(row.tolist()),)))
        return results
