"""A service as the articles begin with: transformers' pipeline behind a web framework, one request at a time.

    python -m benchmarks.original FOLDER --port 8600 [--forward transformers|wenmo] [--load-per-call] [--workers N]

`POST /analyze` and `POST /api/v1/zero-shot` take what wenmo's routes take, of one text. Each request is computed alone,
one after the other, zero-shot one pair of text and label after the other. `--forward wenmo` puts wenmo's engine in the
pipeline's place, without cache, so that serving can be told from computing. The model is loaded at the first call.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from wenmo.tasks.zero_shot import ZERO_SHOT

_OPTIONS = "WENMO_BENCH_ORIGINAL"  # how a worker's process learns what was asked for
Answer = Callable[[dict[str, Any]], dict[str, Any]]


def _pipeline(folder: Path, task: str) -> Any:
    from transformers import AutoTokenizer, BertForSequenceClassification, pipeline

    model = BertForSequenceClassification.from_pretrained(folder).eval()
    if task == "zero-shot-classification":  # it looks for "entailment" among the names, and ranks upside down without
        model.config.id2label = dict(enumerate(ZERO_SHOT.label_names))
        model.config.label2id = {name: index for index, name in enumerate(ZERO_SHOT.label_names)}
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=512)
    return pipeline(task, model=model, tokenizer=tokenizer, device="cpu")  # type: ignore[call-overload]


def _by_transformers(folder: Path, route: str) -> Answer:
    if route == "zero-shot":
        pipe = _pipeline(folder, "zero-shot-classification")

        def classify(body: dict[str, Any]) -> dict[str, Any]:
            found = pipe(body["texts"][0], body["labels"], hypothesis_template=body["template"], batch_size=1)
            return {"results": [{"scores": dict(zip(found["labels"], found["scores"], strict=True))}]}

        return classify
    pipe = _pipeline(folder, "text-classification")

    def analyze(body: dict[str, Any]) -> dict[str, Any]:
        scores = {each["label"]: each["score"] for each in pipe(body["text"], top_k=None, truncation=True)}
        return analyzed(scores[pipe.model.config.id2label[1]], body["text"])

    return analyze


def _by_wenmo(folder: Path, route: str) -> Answer:
    from wenmo.engine import Engine

    task = "zero_shot" if route == "zero-shot" else "sentiment"
    engine = Engine(
        device="cpu",
        precision=os.environ.get("WENMO_PRECISION", "auto"),
        calibrated=False,
        cache_mib=0,
        models={task: folder},
    )

    def classify(body: dict[str, Any]) -> dict[str, Any]:
        (result,) = engine.zero_shot(body["texts"], labels=body["labels"], template=body["template"])
        return {"results": [{"scores": dict(result.scores)}]}

    def analyze(body: dict[str, Any]) -> dict[str, Any]:
        return analyzed(engine.sentiment([body["text"]])[0].positive, body["text"])

    return classify if route == "zero-shot" else analyze


def analyzed(positive: float, text: str) -> dict[str, Any]:
    """What /analyze answers."""
    label, confidence = ("Positive", positive) if positive >= 0.5 else ("Negative", 1 - positive)
    return {"label": label, "confidence": confidence, "text": text}


def create_app() -> FastAPI:
    """The service that the environment describes."""
    options = json.loads(os.environ[_OPTIONS])
    folder, make = Path(options["folder"]), _by_wenmo if options["forward"] == "wenmo" else _by_transformers
    app, lock, kept = FastAPI(), threading.Lock(), dict[str, Answer]()

    def answer(route: str, body: dict[str, Any]) -> dict[str, Any]:
        with lock:  # one request at a time
            if options["load_per_call"]:
                return make(folder, route)(body)
            if route not in kept:
                kept[route] = make(folder, route)
            return kept[route](body)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/analyze")
    def analyze(body: dict[str, Any]) -> dict[str, Any]:
        return answer("analyze", body)

    @app.post("/api/v1/zero-shot")
    def zero_shot(body: dict[str, Any]) -> dict[str, Any]:
        return answer("zero-shot", body)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the model, as benchmarks.services.export_model writes it")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--forward", choices=("transformers", "wenmo"), default="transformers")
    parser.add_argument("--load-per-call", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    os.environ[_OPTIONS] = json.dumps(
        {"folder": str(options.folder), "forward": options.forward, "load_per_call": options.load_per_call}
    )
    uvicorn.run(
        "benchmarks.original:create_app",
        factory=True,
        host="127.0.0.1",
        port=options.port,
        workers=options.workers,
        timeout_worker_healthcheck=60,  # importing torch in each takes longer than the 5 s that it has by default
        log_level="warning",
    )


if __name__ == "__main__":
    main()
