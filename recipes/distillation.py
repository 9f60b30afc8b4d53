"""Adapting the initial weights to characters and to fewer layers: the student learns to say what its teacher says.

The teacher, multilingual-e5-small with its 12 layers, reads a text in its own pieces; the student reads the same text
in ours. What they are held to each other by:

- tokens: each of the student's tokens belongs to the teacher's piece that covers its first character; the mean of the
  tokens of a piece is to be the teacher's state of that piece, after each pair of the teacher's layers;
- sentences: the means over all tokens are to be the same;
- masked characters: in half of the batches 15% of the tokens are hidden; the states are still to be the teacher's on
  the whole text, and the hidden characters are to be restored.

States are compared after the teacher's were standardised, dimension by dimension: 1 is then the error of a student that
always answers the teacher's mean, 0 is the teacher (one minus the share of the variance that is explained).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from transformers import BertModel

from recipes.e5 import E5, PREFIX
from wenmo.adapt.batches import plan_epoch
from wenmo.adapt.training_loop import MakeStep, Schedule, Step, epoch_rng

NO_PIECE = -1
_MASKED = 0.15


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """A text as both read it: `student` (S,) and `teacher` (T,) ids, and `piece` (S,), places in `teacher`."""

    student: np.ndarray
    teacher: np.ndarray
    piece: np.ndarray


def align(texts: Sequence[str], student: Tokenizer, e5: E5, *, limit: int, simplified: dict[int, str]) -> list[Aligned]:
    """Each text in both segmentations, the first `limit` tokens of the student's and what they cover.

    The teacher reads Simplified characters, as the student does.
    """
    teacher = e5.tokenizer()
    cls_id, sep_id = student.token_to_id("[CLS]"), student.token_to_id("[SEP]")
    done = []
    for start in range(0, len(texts), 10_000):
        chunk = [text.translate(simplified) for text in texts[start : start + 10_000]]
        ours = student.encode_batch(chunk, add_special_tokens=False)
        theirs = teacher.encode_batch([PREFIX + text for text in chunk], add_special_tokens=False)
        for text, mine, other in zip(chunk, ours, theirs, strict=True):
            offsets = mine.offsets[:limit]
            covered = np.full(len(text) + 1, NO_PIECE, np.int32)
            end = offsets[-1][1] if offsets else 0
            ids = [e5.begin]
            for identity, (begin, stop) in zip(other.ids, other.offsets, strict=True):
                begin, stop = begin - len(PREFIX), stop - len(PREFIX)
                if begin >= end and begin > 0:
                    break
                if stop > 0:
                    covered[max(begin, 0) : stop] = len(ids)
                ids.append(identity)
            ids.append(e5.end)
            piece = [0, *(int(covered[begin]) for begin, _ in offsets), len(ids) - 1]
            done.append(
                Aligned(
                    student=np.asarray([cls_id, *mine.ids[:limit], sep_id], np.int32),
                    teacher=np.asarray(ids, np.int32),
                    piece=np.asarray(piece, np.int32),
                )
            )
    return done


def _padded(rows: Sequence[np.ndarray], pad: int, dtype: torch.dtype = torch.long) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, L) and its mask; L is a multiple of 8, see adapt/batches.py."""
    width = -(-max(map(len, rows)) // 8) * 8
    ids = torch.full((len(rows), width), pad, dtype=dtype)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.from_numpy(row.astype(np.int64))
        mask[place, : len(row)] = 1
    return ids, mask


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(B, H): the mean over real tokens."""
    weight = mask[:, :, None].float()
    return (states.float() * weight).sum(1) / weight.sum(1)


class Standard:
    """Mean and deviation of the teacher's states, for each compared layer and for the sentence vector."""

    def __init__(self, teacher: BertModel, e5: E5, texts: Sequence[Aligned], layers: Sequence[int]) -> None:
        ids, mask = _padded([text.teacher for text in texts], e5.pieces.index("<pad>"))
        states = teacher_states(teacher, ids, mask)
        real = mask.bool()
        self.mean, self.deviation = [], []
        for layer in layers:
            chosen = states[layer][real].float()
            self.mean.append(chosen.mean(0))
            self.deviation.append(chosen.std(0) + 1e-4)
        vectors = _mean(states[layers[-1]], mask)
        self.vector_mean, self.vector_deviation = vectors.mean(0), vectors.std(0) + 1e-4


def teacher_states(teacher: BertModel, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """All layers' states, the input's first."""
    with torch.inference_mode(), torch.autocast(ids.device.type, torch.bfloat16):
        return teacher(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states


class Student(nn.Module):
    """The encoder with a head that restores characters, tied to its input rows."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert
        hidden = bert.config.hidden_size
        self.transform = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden))
        self.bias = nn.Parameter(torch.zeros(bert.config.vocab_size))

    def restored(self, states: torch.Tensor) -> torch.Tensor:
        """(P, V) logits of states (P, H). Input rows of this teacher have a norm of about 6, hence the scale."""
        return F.linear(self.transform(states), self.bert.embeddings.word_embeddings.weight, self.bias)


@dataclass(frozen=True, kw_only=True)
class Distiller:
    """Teacher, student and what compares them. `compared`: student's layer (1 is the first) -> the teacher's."""

    student: Student
    teacher: BertModel
    standard: Standard
    compared: dict[int, int]
    pad: int  # the teacher's
    mask_id: int  # the student's
    special: int  # ids below are never hidden

    def losses(self, texts: Sequence[Aligned], rng: np.random.Generator, *, hide: bool) -> dict[str, torch.Tensor]:
        their_ids, their_mask = _padded([text.teacher for text in texts], self.pad)
        ids, mask = _padded([text.student for text in texts], 0)
        theirs = teacher_states(self.teacher, their_ids, their_mask)
        width = their_ids.shape[1]
        places = np.full(tuple(ids.shape), NO_PIECE, np.int64)
        for row, text in enumerate(texts):
            places[row, : len(text.piece)] = np.where(text.piece >= 0, text.piece + row * width, NO_PIECE)
        flat = torch.from_numpy(places.reshape(-1))
        kept = flat >= 0
        target_place, token_count = torch.unique(flat[kept], return_counts=True)
        slot = torch.searchsorted(target_place, flat[kept])

        hidden = None
        shown = ids
        if hide:
            drawn = torch.from_numpy(rng.random(tuple(ids.shape))) < _MASKED
            hidden = drawn & (ids >= self.special)
            shown = ids.masked_fill(hidden, self.mask_id)
        ours = self.student.bert(input_ids=shown, attention_mask=mask, output_hidden_states=True).hidden_states

        losses = {}
        for number, (mine, other) in enumerate(self.compared.items()):
            flat_ours = ours[mine].float().flatten(0, 1)[kept]
            pooled = torch.zeros(len(target_place), flat_ours.shape[1]).index_add_(0, slot, flat_ours)
            pooled = pooled / token_count[:, None]
            target = theirs[other].float().flatten(0, 1)[target_place]
            error = (pooled - target) / self.standard.deviation[number]
            losses[f"layer{mine}"] = error.square().mean()
        last_mine, last_other = list(self.compared.items())[-1]
        vector = _mean(ours[last_mine], mask) - _mean(theirs[last_other], their_mask)
        losses["vector"] = (vector / self.standard.vector_deviation).square().mean()
        if hidden is not None and bool(hidden.any()):
            logits = self.student.restored(ours[last_mine][hidden])
            losses["restore"] = F.cross_entropy(logits.float(), ids[hidden])
        return losses


def total(losses: dict[str, torch.Tensor], *, vector: float, restore: float) -> torch.Tensor:
    """The last compared layer counts 1, the others together 1."""
    layers = [loss for name, loss in losses.items() if name.startswith("layer")]
    loss = layers[-1] + torch.stack(layers[:-1]).mean() + vector * losses["vector"]
    return loss + restore * losses["restore"] if "restore" in losses else loss


def distilling_steps(
    distiller: Distiller, texts: Sequence[Aligned], schedule: Schedule, *, vector: float, restore: float
) -> Callable[[int], Iterator[MakeStep]]:
    """The `epoch_steps` of `training_loop.train`."""
    lengths = np.asarray([len(text.student) for text in texts])

    def make(rows: np.ndarray, rng: np.random.Generator) -> Step:
        chosen = [texts[row] for row in rows.tolist()]

        def loss() -> torch.Tensor:
            return total(distiller.losses(chosen, rng, hide=rng.random() < 0.5), vector=vector, restore=restore)

        return Step(loss=loss, tokens=int(lengths[rows].sum()))

    def epoch_steps(epoch: int) -> Iterator[MakeStep]:
        for rows in plan_epoch(lengths, tokens=schedule.batch_tokens, rng=epoch_rng(schedule, epoch)):
            yield partial(make, rows)

    return epoch_steps


def held_out(distiller: Distiller, texts: Sequence[Aligned]) -> dict[str, float]:
    """Errors on texts that are not trained on: whole for the states, hidden characters for the restoring."""
    rng = np.random.default_rng(0)
    whole = distiller.losses(texts, rng, hide=False)
    masked = distiller.losses(texts, rng, hide=True)
    names = [name for name in whole if name.startswith("layer")]
    return {
        "layer": float(whole[names[-1]]),
        "middle": float(whole[names[len(names) // 2]]),
        "vector": float(whole["vector"]),
        "restore": float(masked["restore"]),
    }
