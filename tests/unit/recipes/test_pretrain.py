"""What is hidden and shuffled, and what has to be restored."""

from __future__ import annotations

import numpy as np
import torch

from recipes.pretrain import corrupt
from tests.conftest import GOLDEN
from wenmo.adapt.batches import collate
from wenmo.adapt.dataset import NO_LABEL
from wenmo.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_folder(GOLDEN / "similarity")


def test_corruption() -> None:
    tokens = [np.arange(200, 300, dtype=np.uint16) for _ in range(64)]
    batch = collate([(row, row) for row in tokens], np.zeros(64), TOKENIZER, max_length=203)
    corrupted, positions, originals = corrupt(batch, TOKENIZER, np.random.default_rng(5))
    real = originals != NO_LABEL
    # What is to be restored is what stood there, and everything that was changed is to be restored.
    assert torch.equal(batch.input_ids.flatten()[positions[real]], originals[real])
    changed = torch.nonzero((batch.input_ids != corrupted.input_ids).flatten()).flatten()
    assert set(changed.tolist()) <= set(positions[real].tolist())
    # Special tokens and padding are left alone.
    special = (
        (batch.input_ids == TOKENIZER.cls_id) | (batch.input_ids == TOKENIZER.sep_id) | (batch.attention_mask == 0)
    )
    assert torch.equal(batch.input_ids[special], corrupted.input_ids[special])
    # 15% masked; of the rest about 5% begin a trigram, if three free places stand there: 15% + 0.05 * 0.85^3 * 3 * ...
    ordinary = int((~special).sum())
    share = len(set(positions[real].tolist())) / ordinary
    assert 0.18 < share < 0.27
    # Shuffling only reorders: what is neither masked nor replaced keeps the multiset of the tokens of its row.
    assert int((corrupted.input_ids == TOKENIZER.mask_id).sum()) / ordinary > 0.10
