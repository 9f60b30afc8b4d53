from __future__ import annotations

from typing import Any

import pytest

from wenmo import InputError
from wenmo.lab.configuration import Configuration, equal_lengths, parse_configurations


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"precision": "fp8"}, "fp8"),
        ({"work": "sleep"}, "sleep"),
        ({"layout": "folded"}, "folded"),
        ({"lengths": ()}, "0 sequences"),
        ({"lengths": (1,)}, "2 tokens"),
        ({"lengths": (600,), "layout": "padded", "pad_to": 512}, "512"),
        ({"lengths": equal_lengths(4096, 512)}, "smaller batch"),
        ({"work": "training_step"}, "padded"),
        ({"checkpointing": True}, "padded"),
        ({"attention": "eager"}, "padded"),
        ({"pad_to": 128}, "padded"),
        ({"layout": "padded", "precision": "int8"}, "packed"),
    ],
)
def test_what_cannot_be_is_refused_in_two_languages(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        Configuration(**wrong)
    assert error.value.zh != error.value.en and any("一" <= letter <= "鿿" for letter in error.value.zh)


def test_lengths_beyond_the_models_positions_are_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match="512 positions"):
        Configuration(model="tiny", lengths=(513,)).sizes()


def test_a_checkpoints_sizes_are_read_without_its_weights() -> None:
    shape, labels = Configuration(model="bundled").sizes()
    assert (shape.hidden_size, shape.num_hidden_layers, labels) == (384, 6, 2)
    assert Configuration(model="wenmo-zero-shot").sizes()[1] == 3


def test_json_and_back() -> None:
    configuration = Configuration(model="tiny", lengths=(3, 5), layout="padded", pad_to=8, precision="bf16")
    assert Configuration.from_json(configuration.as_json()) == configuration
    assert parse_configurations('[{"model": "tiny"}, {"lengths": [2, 3]}]')[1].tokens == 5
    for text in ("{", "[]", "[1]", '[{"colour": "red"}]', '[{"lengths": "many"}]'):
        with pytest.raises(InputError):
            parse_configurations(text)
