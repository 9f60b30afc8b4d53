"""Zero-shot beyond the data pack's own labels: texts beside labels of any set, ranked by the pretrained encoder.

The pretrained encoder, multilingual-e5-small with all of its layers, has read far more than the data pack; its cosines
of a text and of many labels are the targets (Hinton et al., 2015, arXiv 1503.02531). Labels are from `label_pool`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from recipes import label_pool
from recipes.e5 import E5, PREFIX
from wenmo.adapt.batches import evaluation_batches, plan_epoch
from wenmo.adapt.dataset import Examples, TokenStore
from wenmo.adapt.objectives import TrainableModel
from wenmo.adapt.training_loop import MakeStep, Step
from wenmo.inference.precision import has_fast_half
from wenmo.tasks.zero_shot import ENTAILMENT

_MOST_PIECES = 96  # of a text that the pretrained encoder reads
_TOKENS = 4096  # of a batch of it


def vectors(e5: E5, texts: Sequence[str]) -> np.ndarray:
    """(N, 384) float32, unit length: what the pretrained encoder says, as its authors pool it (the mean)."""
    tokenizer, pad = e5.tokenizer(), e5.pieces.index("<pad>")
    encoded = tokenizer.encode_batch([PREFIX + text for text in texts], add_special_tokens=False)
    rows = [np.asarray([e5.begin, *each.ids[:_MOST_PIECES], e5.end], np.int64) for each in encoded]
    model = e5.model(attn_implementation="eager").eval()
    found = np.empty((len(rows), model.config.hidden_size), np.float32)
    half = has_fast_half(torch.bfloat16).value
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        for chosen in evaluation_batches(np.asarray([len(row) for row in rows]), tokens=_TOKENS):
            width = -(-max(len(rows[row]) for row in chosen) // 8) * 8  # see adapt/batches.py
            ids = torch.full((len(chosen), width), pad)
            mask = torch.zeros_like(ids)
            for place, row in enumerate(chosen.tolist()):
                ids[place, : len(rows[row])] = torch.from_numpy(rows[row])
                mask[place, : len(rows[row])] = 1
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            means = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
            found[chosen] = F.normalize(means, dim=-1).numpy()
    return found


@dataclass(frozen=True, kw_only=True)
class OpenLabels:
    """Texts with groups of labels of a set: cross-entropy of the entailment logits against the softmax of `closeness`.

    `texts` (N,) and `hypotheses` (labels, templates) index a TokenStore, `closeness` is (N, labels), and `sets` are
    the labels that are asked about together. `draws` texts an epoch, `group` labels each.
    """

    texts: np.ndarray
    closeness: np.ndarray
    sets: Sequence[np.ndarray]
    hypotheses: np.ndarray
    draws: int
    group: int

    @classmethod
    def of(
        cls, e5: E5, texts: Sequence[str], store: TokenStore, *, draws: int, group: int, scale: float, cache: Path
    ) -> OpenLabels:
        """`cache` keeps the cosines, which take minutes. `scale` makes logits of them.

        A label that is near to every text would win often, so each label's cosines are centred first.
        """
        names = list(dict.fromkeys(name for labels in (*label_pool.SETS.values(), *label_pool.FEW) for name in labels))
        if cache.is_file():
            cosines = np.load(cache)
        else:
            cosines = vectors(e5, texts) @ vectors(e5, names).T
            np.save(cache, cosines)
        place = {name: index for index, name in enumerate(names)}
        hypotheses = [store.add([template.format(name) for template in label_pool.TEMPLATES]) for name in names]
        return cls(
            texts=store.add(texts),
            closeness=scale * (cosines - cosines.mean(0)),
            sets=[np.asarray([place[name] for name in labels]) for labels in label_pool.SETS.values()],
            hypotheses=np.stack(hypotheses),
            draws=draws,
            group=group,
        )

    def steps(self, trainable: TrainableModel, tokens: int, rng: np.random.Generator) -> list[MakeStep]:
        """The steps of an epoch."""
        rows = rng.permutation(len(self.texts))[: self.draws]
        second = np.empty((len(rows), self.group), np.int32)
        target = np.empty((len(rows), self.group), np.float32)
        for place, row in enumerate(rows.tolist()):
            labels = self.sets[int(rng.integers(len(self.sets)))]
            chosen = rng.choice(labels, self.group, replace=False)
            if rng.random() < 0.7:  # a question that has an answer: the best label of the set is among them
                best = labels[int(self.closeness[row, labels].argmax())]
                if best not in chosen:
                    chosen[0] = best
            logits = self.closeness[row, chosen]
            share = np.exp(logits - logits.max())
            target[place] = share / share.sum()
            second[place] = self.hypotheses[chosen, int(rng.integers(self.hypotheses.shape[1]))]
        pairs = Examples(
            first=np.repeat(self.texts[rows], self.group),
            second=second.reshape(-1),
            label=np.zeros(second.size, np.int64),
        )
        longest = trainable.lengths(pairs).reshape(-1, self.group).max(axis=1)
        return [
            partial(self._step, trainable, pairs, target, texts)
            for texts in plan_epoch(longest, tokens=max(1, tokens // self.group), rng=rng)
        ]

    def _step(
        self,
        trainable: TrainableModel,
        pairs: Examples,
        target: np.ndarray,
        texts: np.ndarray,
        rng: np.random.Generator,
    ) -> Step:
        batch = trainable.batch(pairs.take((texts[:, None] * self.group + np.arange(self.group)).reshape(-1)))
        wanted = torch.from_numpy(target[texts]).to(batch.input_ids.device)
        return Step(
            loss=lambda: F.cross_entropy(trainable.logits(batch)[:, ENTAILMENT].reshape(-1, self.group), wanted),
            tokens=batch.tokens(),
        )
