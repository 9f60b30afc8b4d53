"""A new classifier begins as the best linear one on the encoder as it is, and is then trained together with it.

From random weights the first steps would spoil what the encoder knows already, and a few hundred rows are too few to
learn it again (LP-FT; Kumar et al., 2022, arXiv 2202.10054).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch

from wenmo.adapt.batches import evaluation_batches
from wenmo.adapt.dataset import Examples
from wenmo.adapt.objectives import TrainableModel

_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1)  # of the fit against its regularisation; the dev rows choose
_TOKENS = 8192  # of a batch
_UNSEEN = -10.0  # the logit of a label that no row has: lower than any that was learnt


def fit_classifier(
    trainable: TrainableModel, learnt: Examples, dev: Examples, progress: Callable[[int, int], None]
) -> None:
    """Set the classifier's weights by logistic regression on `learnt`, with labels balanced, judged on `dev`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    total = len(learnt) + len(dev)
    inputs = _pooled(trainable, learnt, lambda done: progress(done, total))
    held_out = _pooled(trainable, dev, lambda done: progress(len(learnt) + done, total))
    present = np.unique(learnt.label)
    if len(present) < 2:
        return
    mean, spread = inputs.mean(0), inputs.std(0) + 1e-6
    known = np.isin(dev.label, present)
    fits = []
    for strength in _STRENGTHS:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # nearly converged is a beginning, too
            model.fit((inputs - mean) / spread, learnt.label)
        found = model.predict_proba((held_out[known] - mean) / spread)
        fits.append((log_loss(dev.label[known], found, labels=present) if known.any() else 0.0, model))
    _, best = min(fits, key=lambda each: each[0])
    rows, bias = best.coef_, best.intercept_
    if len(present) == 2:  # one row: the log odds of the second
        rows, bias = np.concatenate([-rows, rows]) / 2, np.concatenate([-bias, bias]) / 2
    rows = rows / spread
    classifier = trainable.model.classifier
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.fill_(_UNSEEN)
        classifier.weight[present] = torch.from_numpy(rows).to(classifier.weight)
        classifier.bias[present] = torch.from_numpy(bias - rows @ mean).to(classifier.bias)


@torch.inference_mode()
def _pooled(trainable: TrainableModel, examples: Examples, progress: Callable[[int], None]) -> np.ndarray:
    """(N, H) float64: what the classifier reads of each example."""
    model = trainable.model.eval()
    found = np.empty((len(examples), model.config.hidden_size))
    done = 0
    for rows in evaluation_batches(trainable.lengths(examples), tokens=_TOKENS):
        batch = trainable.batch(examples.take(rows))
        found[rows] = trainable.pooled(batch).double().cpu().numpy()
        done += len(rows)
        progress(done)
    return found
