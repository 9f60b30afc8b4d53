"""Teachers: their probabilities stand in for part of the labels (Hinton et al., 2015, arXiv 1503.02531).

Two kinds, answered once before a pass begins: networks, which are passes that ended before, and a linear model on
characters, which errs on other texts than they do. The networks also answer what they have learnt from, the linear
model never. Texts without a label learn from the teachers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from wenmo.adapt.batches import evaluation_batches
from wenmo.adapt.dataset import NO_LABEL, Examples
from wenmo.adapt.objectives import TrainableModel
from wenmo.errors import InputError
from wenmo.inference.precision import has_fast_half

CHARACTERS = "characters"  # the name of the linear model among the teachers


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """`share` of a target comes from the teachers, the rest from the label.

    `teachers`: a pass ("sentiment-1") or CHARACTERS, and its weight. `unlabelled`: sources of the running text that are
    learnt from too.
    """

    share: float
    teachers: dict[str, float]
    unlabelled: list[str] = field(default_factory=list)


def network_probabilities(learner: TrainableModel, examples: Examples, *, batch_tokens: int) -> np.ndarray:
    """(N, K) float64: what `learner.model` answers."""
    model = learner.model.eval()
    bf16 = model.device.type == "cuda" or has_fast_half(torch.bfloat16).value
    answers: np.ndarray | None = None
    with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        for rows in evaluation_batches(learner.lengths(examples), tokens=batch_tokens):
            found = learner.logits(learner.batch(examples.take(rows))).softmax(-1).double().cpu().numpy()
            if answers is None:
                answers = np.empty((len(examples), found.shape[1]))
            answers[rows] = found
    assert answers is not None, "no examples"
    return answers


def character_probabilities(texts: Sequence[str], label: np.ndarray) -> np.ndarray:
    """(N, 2) float64: logistic regression on characters, pairs and triples of them, weighted by TF-IDF.

    No text is answered by a model that saw its label: the labelled ones in five folds, those with NO_LABEL by a model
    of all labelled ones. Raises InputError without scikit-learn.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
    except ImportError:
        raise InputError(
            f"The teacher {CHARACTERS!r} needs scikit-learn: pip install -r requirements-train.txt.",
            f"教师 {CHARACTERS!r} 需要 scikit-learn：pip install -r requirements-train.txt。",
        ) from None

    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=3, max_features=400_000, sublinear_tf=True),
        LogisticRegression(C=6.0, solver="liblinear"),
    )
    known = np.flatnonzero(label != NO_LABEL)
    unknown = np.flatnonzero(label == NO_LABEL)
    learnt, truth = [texts[row] for row in known.tolist()], label[known]
    answers = np.empty((len(texts), 2))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    answers[known] = cross_val_predict(model, learnt, truth, cv=folds, method="predict_proba")
    if len(unknown):
        answers[unknown] = model.fit(learnt, truth).predict_proba([texts[row] for row in unknown.tolist()])
    return answers


def targets(label: np.ndarray, answers: Sequence[np.ndarray], weights: Sequence[float], *, share: float) -> np.ndarray:
    """(N, K) float32: `share` of the teachers' weighted geometric mean and the rest of `label` (N,).

    `answers` are the teachers' probabilities, (N, K) each.
    """
    logs = sum(
        weight / sum(weights) * np.log(np.clip(each, 1e-6, 1)) for weight, each in zip(weights, answers, strict=True)
    )
    taught = torch.from_numpy(np.asarray(logs)).softmax(-1)
    known = torch.from_numpy(label != NO_LABEL)
    own = F.one_hot(torch.from_numpy(np.where(label == NO_LABEL, 0, label)), taught.shape[1])
    return torch.where(known[:, None], share * taught + (1 - share) * own, taught).float().numpy()
