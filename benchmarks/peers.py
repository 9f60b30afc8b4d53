"""The same classifier in the hands of others: each takes texts, or pairs, and gives logits (N, labels), in order.

    pip install -r benchmarks/requirements.txt

All read the same weights and the same vocabulary from one folder in transformers' layout, and all are timed from text
to logits. A peer runs as its documentation shows; where it has a well-known better way (sorted batches, one worker a
core), that is a peer of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wenmo.lab.padded import MAX_LENGTH, Answer, Items, classifier, columns, tokenizer_of

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def _pipeline(folder: Path) -> Answer:
    from transformers import BertForSequenceClassification, pipeline

    pipe: Any = pipeline(
        "text-classification",
        model=BertForSequenceClassification.from_pretrained(folder),
        tokenizer=tokenizer_of(folder),
        device="cpu",
        top_k=None,
        function_to_apply="none",
    )

    def answer(items: Items) -> np.ndarray:
        given = [item if isinstance(item, str) else {"text": item[0], "text_pair": item[1]} for item in items]
        rows = pipe(given, batch_size=32, truncation=True)
        return np.asarray(
            [[each["score"] for each in sorted(row, key=lambda each: each["label"])] for row in rows], np.float32
        )

    return answer


def _cross_encoder(folder: Path) -> Answer:
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", max_length=MAX_LENGTH)

    def answer(items: Items) -> np.ndarray:
        if items and isinstance(items[0], str):
            raise NotImplementedError("a CrossEncoder reads pairs")
        return np.asarray(model.predict(list(items), batch_size=32, activation_fn=torch.nn.Identity()))

    return answer


def _onnx_file(folder: Path) -> Path:
    path = folder / "model.onnx"
    if not path.is_file():
        from torch.export import Dim
        from transformers import BertForSequenceClassification

        model = BertForSequenceClassification.from_pretrained(folder).eval()
        # With padding in it: from an example without any, the exporter concludes that there never is a mask.
        example = tokenizer_of(folder)(["一二三", "一二三四五六"], padding=True, return_tensors="pt")
        inputs = {name: example[name] for name in INPUTS}
        torch.onnx.export(
            model,
            (),
            str(path),
            kwargs=inputs,
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_shapes={name: {0: Dim("batch"), 1: Dim("length")} for name in INPUTS},
            dynamo=True,
            external_data=False,
        )
    return path


def _sorted_batches(run: Callable[[Mapping[str, np.ndarray]], np.ndarray], tokenizer: Any, batch: int) -> Answer:
    """Batches of `batch` texts sorted by length, padded to their longest, order restored."""

    def answer(items: Items) -> np.ndarray:
        order = sorted(range(len(items)), key=lambda index: sum(map(len, items[index])))
        rows: list[np.ndarray | None] = [None] * len(items)
        for start in range(0, len(items), batch):
            chosen = order[start : start + batch]
            inputs = tokenizer(
                *columns([items[index] for index in chosen]), padding=True, truncation=True, return_tensors="np"
            )
            for index, row in zip(chosen, run({name: inputs[name] for name in INPUTS}), strict=True):
                rows[index] = row
        return np.stack([row for row in rows if row is not None])

    return answer


def _onnxruntime(folder: Path, *, batch: int, int8: bool) -> Answer:
    import onnxruntime

    path = _onnx_file(folder)
    if int8:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantized = folder / "model-int8.onnx"
        if not quantized.is_file():
            model = onnx.load(path)
            del model.graph.value_info[:]  # the exporter's shapes contradict those that the quantiser infers
            quantize_dynamic(model, quantized, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
        path = quantized
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return _sorted_batches(lambda inputs: session.run(None, dict(inputs))[0], tokenizer_of(folder), batch)


def _openvino(folder: Path, *, batch: int, precision: str | None = "f32") -> Answer:
    """`precision` None leaves it to OpenVINO: bf16 where the processor has units for it."""
    import openvino

    options = {} if precision is None else {"INFERENCE_PRECISION_HINT": precision}
    model = openvino.Core().compile_model(str(_onnx_file(folder)), "CPU", options)
    return _sorted_batches(lambda inputs: model(dict(inputs))[0].copy(), tokenizer_of(folder), batch)


def _with_one_token_each(folder: Path) -> Path:
    """A copy of the model whose vocabulary has one token for each id, as CTranslate2 wants; it is given ids anyway."""
    from transformers import BertTokenizer

    copied = Path(shutil.copytree(folder, folder / "plain", ignore=shutil.ignore_patterns("token*", "vocab*", "plain")))
    tokens = {index: token for token, index in tokenizer_of(folder).get_vocab().items()}
    (copied / "vocab.txt").write_text("\n".join(tokens[index] for index in sorted(tokens)) + "\n", encoding="utf-8")
    BertTokenizer(str(copied / "vocab.txt")).save_pretrained(copied)
    return copied


def _ctranslate2(folder: Path, *, compute_type: str, worker_a_core: bool) -> Answer:
    import ctranslate2
    from transformers import BertConfig, BertForSequenceClassification

    converted = folder / "ctranslate2"
    if not converted.is_dir():
        BertConfig.position_embedding_type = "absolute"  # type: ignore[attr-defined] # its converter asks for a field that transformers 5 dropped
        plain = _with_one_token_each(folder)
        ctranslate2.converters.TransformersConverter(str(plain)).convert(str(converted))
    cores = os.cpu_count() or 1
    workers, threads = (cores, 1) if worker_a_core else (1, cores)
    encoder = ctranslate2.Encoder(
        str(converted), device="cpu", compute_type=compute_type, inter_threads=workers, intra_threads=threads
    )
    head = BertForSequenceClassification.from_pretrained(folder).classifier
    weight, bias = head.weight.detach().numpy(), head.bias.detach().numpy()
    tokenizer = tokenizer_of(folder)

    def forward(ids: list[list[int]], types: list[list[int]]) -> np.ndarray:
        return np.asarray(encoder.forward_batch(ids, token_type_ids=types).pooler_output) @ weight.T + bias

    def answer(items: Items) -> np.ndarray:
        inputs = tokenizer(*columns(items), truncation=True)
        ids, types = inputs["input_ids"], inputs["token_type_ids"]
        order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
        batches: list[list[int]] = []
        size = 0
        for index in order:  # 1,024 tokens a batch, near its best
            if not batches or size + len(ids[index]) > 1024:
                batches.append([])
                size = 0
            batches[-1].append(index)
            size += len(ids[index])
        with ThreadPoolExecutor(workers) as pool:
            results = list(
                pool.map(
                    lambda batch: forward([ids[index] for index in batch], [types[index] for index in batch]), batches
                )
            )
        rows = np.empty((len(ids), len(bias)), dtype=np.float32)
        for batch, result in zip(batches, results, strict=True):
            rows[batch] = result
        return rows

    return answer


# The first two are the rows of the batch article; the others by product.
PEERS: Mapping[str, Callable[[Path], Answer]] = {
    "one by one": lambda folder: classifier(folder, batch=1),
    "fixed 32": lambda folder: classifier(folder, batch=32),
    "transformers pipeline 32": _pipeline,
    "sentence-transformers CrossEncoder 32": _cross_encoder,
    "ONNX Runtime one by one": lambda folder: _onnxruntime(folder, batch=1, int8=False),
    "ONNX Runtime sorted 8": lambda folder: _onnxruntime(folder, batch=8, int8=False),
    "OpenVINO one by one": lambda folder: _openvino(folder, batch=1),
    "OpenVINO sorted 8": lambda folder: _openvino(folder, batch=8),
    "CTranslate2": lambda folder: _ctranslate2(folder, compute_type="float32", worker_a_core=False),
    "CTranslate2 a worker a core": lambda folder: _ctranslate2(folder, compute_type="float32", worker_a_core=True),
}
HALF_PEERS: Mapping[str, Callable[[Path], Answer]] = {
    "transformers bf16, fixed 32": lambda folder: classifier(folder, batch=32, dtype=torch.bfloat16),
    "OpenVINO as it comes, one by one": lambda folder: _openvino(folder, batch=1, precision=None),
    "OpenVINO as it comes, sorted 8": lambda folder: _openvino(folder, batch=8, precision=None),
}
INT8_PEERS: Mapping[str, Callable[[Path], Answer]] = {
    "ONNX Runtime int8 one by one": lambda folder: _onnxruntime(folder, batch=1, int8=True),
    "ONNX Runtime int8 sorted 8": lambda folder: _onnxruntime(folder, batch=8, int8=True),
    "CTranslate2 int8": lambda folder: _ctranslate2(folder, compute_type="int8", worker_a_core=False),
    "CTranslate2 int8 a worker a core": lambda folder: _ctranslate2(folder, compute_type="int8", worker_a_core=True),
}
