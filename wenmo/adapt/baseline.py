"""What a linear model reaches on the same rows: TF-IDF of characters and of pairs of them, and a linear SVM.

It costs seconds and no BERT. A classifier that is new has no "before", so that this is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def tfidf_predict(texts: Sequence[str], label: np.ndarray, asked: Sequence[str], *, seed: int) -> np.ndarray:
    """The labels (N,) of the texts `asked`, by a model of `texts` with the labels `label`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    model = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True),
        LinearSVC(class_weight="balanced", random_state=seed),
    )
    model.fit(list(texts), label)
    found: np.ndarray = model.predict(list(asked))
    return found
