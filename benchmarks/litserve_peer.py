"""The same model behind LitServe, with its own dynamic batching: `POST /analyze` as wenmo's.

    PYTHON -m benchmarks.litserve_peer FOLDER --port 8600 --forward transformers|wenmo

PYTHON has `benchmarks/requirements.txt`. `transformers` computes a padded batch, as LitServe's documentation shows;
`wenmo` computes it by wenmo's engine, so that only the serving differs.
"""

# No `from __future__ import annotations` here: LitServe looks at the class by which decode_request's argument is
# annotated.

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litserve
from fastapi import Request

from benchmarks.original import analyzed

BATCH, TIMEOUT_S = 32, 0.01  # a batch goes when it is full, or this long after its first call


class Analyze(litserve.LitAPI):  # type: ignore[misc]
    """One text a call; batches of them to the model."""

    def __init__(self, folder: Path, forward: str) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=TIMEOUT_S, api_path="/analyze")
        self._folder, self._forward = folder, forward

    def setup(self, device: str) -> None:
        if self._forward == "wenmo":
            from wenmo.engine import Engine

            precision = os.environ.get("WENMO_PRECISION", "auto")
            engine = Engine(
                device="cpu", precision=precision, calibrated=False, cache_mib=0, models={"sentiment": self._folder}
            )
            self._positive = lambda texts: [result.positive for result in engine.sentiment(texts)]
            return
        import torch
        from transformers import AutoTokenizer, BertForSequenceClassification

        model = BertForSequenceClassification.from_pretrained(self._folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(self._folder, model_max_length=512)

        def positive(texts: Sequence[str]) -> list[float]:
            with torch.inference_mode():
                inputs = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
                return torch.softmax(model(**inputs).logits, dim=1)[:, 1].tolist()

        self._positive = positive

    def decode_request(self, request: Request) -> str:
        return request["text"]  # it is the request's JSON: so LitServe understands this annotation

    def predict(self, batch: list[str]) -> list[dict[str, Any]]:
        return [analyzed(value, text) for value, text in zip(self._positive(batch), batch, strict=True)]

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--forward", choices=("transformers", "wenmo"), default="transformers")
    options = parser.parse_args()
    server = litserve.LitServer(Analyze(options.folder, options.forward), accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=options.port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
