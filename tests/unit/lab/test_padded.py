"""Models as other libraries read them, for comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wenmo import Engine
from wenmo.lab.padded import classifier, export, tokenizer_of
from wenmo.models.checkpoint import load_checkpoint
from wenmo.models.local import DEFAULT_MODELS_FOLDER
from wenmo.models.registry import locate

PAIRS = [("花呗怎么还款", "怎么还花呗的钱"), ("会议取消了吗", "会议改到几点")]


def test_transformers_reads_pairs_of_an_exported_model_as_the_engine_does(tmp_path: Path, bundled: Engine) -> None:
    """With the second text told from the first: the default of a tokenizer.json leaves token types out."""
    export(
        load_checkpoint(locate("wenmo-similarity", models_folder=DEFAULT_MODELS_FOLDER), task="similarity"), tmp_path
    )
    assert tokenizer_of(tmp_path)("好", "好的")["token_type_ids"] == [0, 0, 0, 1, 1, 1]
    expected = np.asarray([result.logits[0] for result in bundled.similarity(PAIRS)])
    np.testing.assert_allclose(classifier(tmp_path, batch=2)(PAIRS), expected, atol=1e-4)
