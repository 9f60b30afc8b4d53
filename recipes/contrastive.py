"""Steps of the embedding model, which reads each text alone; its vectors are the means of the last layer.

- `ContrastiveBatches`: pairs of the same meaning end up near, others far.
- `ContrastiveTopicBatches`: a text ends up nearest to its own topic's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from transformers import BertForSequenceClassification

from wenmo.adapt.batches import Batch, evaluation_batches, plan_epoch
from wenmo.adapt.dataset import NO_LABEL, Examples, TokenStore, TopicSampler
from wenmo.adapt.objectives import TrainableModel
from wenmo.adapt.training_loop import MakeStep, Step
from wenmo.tasks.zero_shot import LOGIT_SCALE


@dataclass(frozen=True, kw_only=True)
class ContrastiveBatches:
    """Pairs with labels 0 and 1, each sentence encoded alone; see `contrastive_loss`. `draw` is as above."""

    draw: Callable[[np.random.Generator], Examples]

    def steps(self, learner: TrainableModel, tokens: int, rng: np.random.Generator) -> list[MakeStep]:
        examples = self.draw(rng)

        def make(rows: np.ndarray) -> MakeStep:
            def step(own: np.random.Generator) -> Step:
                chosen = examples.take(rows)
                batch = learner.batch(chosen.separated())

                def loss() -> torch.Tensor:
                    first, second = mean_pooled(learner.model, batch).chunk(2)
                    same_text = torch.from_numpy(_sharing_a_text(chosen, learner.store)).to(first.device)
                    return contrastive_loss(first, second, batch.label[: len(rows)], same_text)

                return Step(loss=loss, tokens=batch.tokens())

            return step

        longest = learner.lengths(examples.separated()).reshape(2, -1).max(axis=0)
        return [make(rows) for rows in plan_epoch(longest, tokens=tokens // 2, rng=rng) if len(rows) > 1]


@dataclass(frozen=True, kw_only=True)
class ContrastiveTopicBatches:
    """Topic texts and all names of their label set, each encoded alone: softmax over the cosines with the names."""

    groups: TopicSampler

    def steps(self, learner: TrainableModel, tokens: int, rng: np.random.Generator) -> list[MakeStep]:
        def make(texts: Examples, hypotheses: Sequence[np.ndarray]) -> MakeStep:
            def step(own: np.random.Generator) -> Step:
                template = int(own.integers(hypotheses[0].shape[1]))
                other = own.random() >= 0.5  # half of the time the names themselves, else any wording of each
                names = [worded[int(own.integers(len(worded))) if other else 0, template] for worded in hypotheses]
                batch = learner.batch(Examples.join([texts, _names_alone(np.asarray(names, np.int32))]))

                def loss() -> torch.Tensor:
                    vectors = F.normalize(mean_pooled(learner.model, batch), dim=-1)
                    cosines = vectors[: len(texts)] @ vectors[len(texts) :].T  # (B, names)
                    return F.cross_entropy(cosines * LOGIT_SCALE, batch.label[: len(texts)])

                return Step(loss=loss, tokens=batch.tokens())

            return step

        return [
            make(texts.take(rows), hypotheses)
            for texts, hypotheses in self.groups.draw_alone(rng)
            for rows in plan_epoch(learner.lengths(texts), tokens=tokens, rng=rng)
        ]


def _names_alone(names: np.ndarray) -> Examples:
    return Examples(first=names, second=np.full(len(names), -1, np.int32), label=np.full(len(names), NO_LABEL))


def _sharing_a_text(pairs: Examples, store: TokenStore) -> np.ndarray:
    """(B, B) bool: which pairs have their first, or their second text in common. Equal texts have several indices."""
    shared = np.zeros((len(pairs), len(pairs)), dtype=bool)
    for indices in (pairs.first.tolist(), pairs.second.tolist()):
        numbers: dict[bytes, int] = {}
        text = np.asarray([numbers.setdefault(store[index].tobytes(), len(numbers)) for index in indices])
        shared |= text[:, None] == text[None, :]
    return shared


def mean_pooled(model: BertForSequenceClassification, batch: Batch) -> torch.Tensor:
    """(B, H) float32: the mean of the last layer over the tokens, as `Engine.embed` computes it."""
    hidden = model.bert(
        input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
    ).last_hidden_state.float()
    weight = batch.attention_mask[:, :, None].float()
    return (hidden * weight).sum(1) / weight.sum(1)


def contrastive_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    label: torch.Tensor,
    same_text: torch.Tensor,
    *,
    scale: float = LOGIT_SCALE,
) -> torch.Tensor:
    """Two losses on the cosines of all first (B, H) with all second (B, H) sentences.

    InfoNCE (van den Oord et al., 2018, arXiv 1807.03748): a sentence's partner, where `label` is 1, against all other
    second sentences of the batch. CoSENT (J. Su, 2022, kexue.fm/archives/8847): every labelled pair of the same meaning
    is to have a higher cosine than every pair of different meaning. `same_text` (B, B) marks pairs that
    have a text in common: their sentences are no negatives of each other.
    """
    cosines = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T * scale  # (B, B)
    own = torch.eye(len(first), dtype=torch.bool, device=first.device)
    same = label == 1
    choices = cosines.masked_fill(same_text & ~own, -torch.inf)
    # A sum over the labelled ones: a batch without any has the loss 0, not 0 / 0.
    partner = -choices.log_softmax(-1).diagonal()[same].sum() / same.sum().clamp(min=1)
    pairs = cosines.diagonal()
    never = torch.finfo(pairs.dtype).min / 4  # not -inf, whose gradient is not a number where nothing else is left
    order = F.softplus(
        torch.logsumexp(pairs.masked_fill(same, never), 0) + torch.logsumexp((-pairs).masked_fill(~same, never), 0)
    )
    return partner + order


def held_out_auc(learner: TrainableModel, examples: Examples, *, batch_tokens: int) -> dict[str, float]:
    """How often a pair of the same meaning has a higher cosine than one of different meaning (area under the ROC)."""
    cosines = np.empty(len(examples))
    longest = learner.lengths(examples.separated()).reshape(2, -1).max(axis=0)
    for rows in evaluation_batches(longest, tokens=batch_tokens // 2):
        first, second = mean_pooled(learner.model, learner.batch(examples.take(rows).separated())).chunk(2)
        cosines[rows] = F.cosine_similarity(first, second).cpu().numpy()
    same, different = cosines[examples.label == 1], np.sort(cosines[examples.label == 0])
    below = np.searchsorted(different, same, side="left") + np.searchsorted(different, same, side="right")
    return {"dev_auc": float(below.mean() / 2 / len(different))}  # a tie counts one half
