"""The weights of a model folder under transformers' names (`bert.*`, `classifier.*`), read without running code.

Checkpoints name their weights in several ways; all are renamed. Missing and surplus names are errors, because a model
with a random layer gives confident wrong answers.
"""

from __future__ import annotations

import errno
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from wenmo.errors import CheckpointError
from wenmo.models.config_files import bad_value, read_json
from wenmo.models.description import ONNX_FILE, Description
from wenmo.models.shape import SCALE, BertShape, expected_shapes
from wenmo.models.vector_head import VectorHead

SAFETENSORS, TORCH = "model.safetensors", "pytorch_model.bin"  # the first that exists is read
INDEX = ".index.json"  # behind either name: the file of each weight, where they are in several


def quantized_rows(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix (rows, columns) as int8, and the fp16 scale of each row (rows,): how the bundled models are stored.

    Symmetric, the largest value of a row becoming 127, which halves the size of fp16. Only the file is in int8; the
    arithmetic is that of the precision asked for.
    """
    scale = (matrix.float().abs().amax(1) / 127).clamp(min=1e-7).half()
    return (matrix.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8), scale


def read_parameters(description: Description) -> dict[str, torch.Tensor]:
    """The weights under the names of transformers' BertForSequenceClassification, the classifier's rows by id.

    Raises CheckpointError for parameters that are missing, surplus, misshapen or no floats, and for a classifier with
    another number of rows than the model has labels.
    """
    folder, shape = description.encoder_folder, description.shape
    classifies = description.head != "none"
    parameters, surplus = _renamed(read_weights(folder), next_sentence=description.head == "next_sentence")
    if not classifies:  # such files often have a pooler and a head for training, which are not used
        parameters = {
            name: tensor for name, tensor in parameters.items() if not name.startswith(("bert.pooler.", "cls."))
        }
    count = _rows(parameters.get("classifier.weight"))
    expected = expected_shapes(shape, labels=count if classifies else None, pooler=description.has_pooler)
    surplus += [name for name in parameters if name not in expected]
    missing = [name for name in expected if name not in parameters]
    if missing or surplus:
        kind, kind_zh = ("classifier", "分类器") if classifies else ("encoder", "编码器")
        raise CheckpointError(
            f"{folder}: the weights are no BERT {kind}. Missing: {_names(missing)}. Surplus: {_names(surplus)}."
            " The file belongs to another model or was cut; download the model again.",
            f"{folder}：权重与 BERT {kind_zh}不符。缺少：{_names(missing)}。多余：{_names(surplus)}。"
            "文件属于别的模型或已被截断，请重新下载模型。",
        )
    misshapen = [
        f"{name} {tuple(parameters[name].shape)} instead of {size}"
        for name, size in expected.items()
        if tuple(parameters[name].shape) != size
    ]
    if misshapen:
        raise CheckpointError(
            f"{folder}: config.json and the weights disagree: {_names(misshapen)}. Download the model again.",
            f"{folder}：config.json 与权重不一致：{_names(misshapen)}。请重新下载模型。",
        )
    not_numbers = [name for name, tensor in parameters.items() if not tensor.is_floating_point()]
    if not_numbers:
        raise CheckpointError(
            f"{folder}: no floats: {_names(not_numbers)}. A quantised checkpoint cannot be read; use the original.",
            f"{folder}：不是浮点数：{_names(not_numbers)}。无法读取量化模型，请用原模型。",
        )
    if classifies and count != len(description.labels):
        raise CheckpointError(
            f"{folder}: the model has {len(description.labels)} labels, this classifier has {count} rows. "
            "Choose another checkpoint.",
            f"{folder}：模型有 {len(description.labels)} 个标签，而此分类器有 {count} 行。请换一个模型。",
        )
    return parameters


def check_fits(description: Description) -> None:
    """Raises CheckpointError where config.json tells of more weights than the files can hold, before any is made.

    A weight takes a byte at least. What the files hold beside them, such as another head, does not matter here.
    """
    folder, shape = description.encoder_folder, description.shape
    hidden, inner = shape.hidden_size, shape.intermediate_size
    rows = shape.vocab_size + shape.max_position_embeddings + shape.type_vocab_size
    count = rows * hidden + shape.num_hidden_layers * (4 * hidden * hidden + 2 * hidden * inner)
    files = [path for path in weight_files(folder) if path.is_file()]
    size, names = sum(path.stat().st_size for path in files), ", ".join(path.name for path in files[:3])
    if size and count > size:
        raise CheckpointError(
            f"{folder}: {count:,} weights, as config.json has it, cannot be in {size:,} bytes of {names}: they "
            "disagree, or the file was cut. Download the model again.",
            f"{folder}：按 config.json 应有 {count:,} 个参数，而 {names} 只有 {size:,} 字节：两者不一致，或文件被截断。"
            "请重新下载模型。",
        )


def read_dense(folder: Path, head: VectorHead) -> dict[str, torch.Tensor]:
    """The weights of the dense layers of `head`: `dense.0.weight` (rows, columns) and `dense.0.bias` (rows,), ..."""
    parameters: dict[str, torch.Tensor] = {}
    for index, dense in enumerate(head.dense):
        weights = read_weights(folder / dense.folder)
        expected: dict[str, tuple[int, ...]] = {"linear.weight": (dense.rows, dense.columns)}
        if dense.bias:
            expected["linear.bias"] = (dense.rows,)
        found = {name: tuple(tensor.shape) for name, tensor in weights.items() if tensor.is_floating_point()}
        if found != expected:
            raise CheckpointError(
                f"{folder / dense.folder}: the weights are {found} instead of {expected}. Download the model again.",
                f"{folder / dense.folder}：权重为 {found}，应为 {expected}。请重新下载模型。",
            )
        for name, tensor in weights.items():
            parameters[f"dense.{index}.{name.removeprefix('linear.')}"] = tensor
    return parameters


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files of the weights in `folder`, none where there are none. Raises CheckpointError for a bad index."""
    for name in (SAFETENSORS, TORCH):
        if (folder / name).is_file():
            return (folder / name,)
        if (folder / (name + INDEX)).is_file():
            named = read_json(folder, name + INDEX).get("weight_map")
            files = sorted(set(named.values())) if isinstance(named, dict) and _all_texts(named) else []
            if not files or any(file != Path(file).name for file in files):  # a path might lead out of the folder
                raise bad_value(folder, name + INDEX, "weight_map", named)
            return tuple(folder / file for file in files)
    return ()


def _all_texts(named: dict[object, object]) -> bool:
    return all(isinstance(file, str) and file for file in named.values())


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of all files of weights in `folder`, in full precision where they are stored in int8 with scales.

    Raises CheckpointError.
    """
    files = weight_files(folder)
    if not files and (folder / ONNX_FILE).is_file():
        raise CheckpointError(
            f"{folder} has the model as {ONNX_FILE}, which ONNX Runtime computes: runtime='onnx' in Python, "
            "WENMO_RUNTIME=onnx for a server and the command line.",
            f"{folder} 里的模型是 {ONNX_FILE}，由 ONNX Runtime 计算：Python 中用 runtime='onnx'，"
            "服务与命令行用 WENMO_RUNTIME=onnx。",
        )
    if not files:
        raise CheckpointError(
            f"{folder} has neither {SAFETENSORS} nor {TORCH}. Download the whole model again.",
            f"{folder} 里既没有 {SAFETENSORS}，也没有 {TORCH}。请重新下载完整的模型。",
        )
    weights: dict[str, torch.Tensor] = {}
    for path in files:
        weights |= _read_file(path)
    return _dequantized(weights)


def _read_file(path: Path) -> dict[str, torch.Tensor]:
    try:
        if not path.is_file():  # an index may name a pipe, and reading it would wait
            raise FileNotFoundError(errno.ENOENT, "it is not there, or is no regular file")
        if path.suffix == ".safetensors":
            # Copies: the file is mapped, and one that is cut later would end this process, one that is overwritten
            # would change the answers of a model in use.
            return {name: tensor.clone() for name, tensor in load_file(path).items()}
        _check_stored(path)
        # weights_only refuses anything but tensors and plain containers, and so executes nothing.
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and all(isinstance(value, torch.Tensor) for value in content.values()):
            _check_strides(content)
            return content
        raise CheckpointError(
            f"{path} is no plain dictionary of tensors. Save the state_dict, or use {SAFETENSORS}.",
            f"{path} 不是单纯的张量字典。请保存模型的 state_dict，或使用 {SAFETENSORS}。",
        )
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or holds code besides tensors, which is not run: {str(error).splitlines()[0]} "
            f"Delete it and download the model again, or convert it to {SAFETENSORS} where you trust it.",
            f"{path} 已损坏，或含有张量以外的代码（不会执行）。请删除后重新下载，或在可信环境中转换为 {SAFETENSORS}。",
        ) from None
    except (
        SafetensorError,
        zipfile.BadZipFile,
        RuntimeError,
        EOFError,
        OSError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read: {reason}. The file is incomplete or damaged; delete it and download it again.",
            f"无法读取 {path}：{reason}。文件不完整或已损坏，请删除后重新下载模型。",
        ) from None


def _check_stored(path: Path) -> None:
    """Raises ValueError for a file of PyTorch whose parts are compressed: PyTorch writes no such file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = [part.filename for part in archive.infolist() if part.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise ValueError(f"{packed[0]} in it is compressed")


def _check_strides(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises ValueError for a tensor of more values than are stored: a stride of 0 repeats one for ever."""
    for name, tensor in tensors.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"{name} has more values than are stored")


def _dequantized(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """int8 matrices (rows, columns) with a scale a row, `<name>_scale`, as float32; see `quantized_rows`."""
    scales = {name for name in weights if name.endswith(SCALE) and name.removesuffix(SCALE) in weights}
    return {
        name: tensor.float() * weights[name + SCALE].float().reshape(-1, 1)
        if tensor.dtype == torch.int8 and name + SCALE in scales and tensor.ndim == 2
        else tensor
        for name, tensor in weights.items()
        if name not in scales
    }


def _renamed(weights: Mapping[str, torch.Tensor], *, next_sentence: bool) -> tuple[dict[str, torch.Tensor], list[str]]:
    """`weights` under transformers' names, and the names that have no place there or take one twice.

    With `next_sentence` the classifier is `cls.seq_relationship`, and the other heads of pre-training are left out.
    """
    marker = "embeddings.word_embeddings.weight"
    prefix = next((prefix for prefix in ("bert.", "encoder.", "") if prefix + marker in weights), "")
    parameters: dict[str, torch.Tensor] = {}
    surplus = []
    for name, tensor in weights.items():
        if name.endswith("embeddings.position_ids"):
            continue  # a buffer of older transformers: 0, 1, 2, ...
        if name.startswith("cls."):
            if next_sentence and not name.startswith("cls.seq_relationship."):
                continue
            target = name.replace("cls.seq_relationship.", "classifier.") if next_sentence else name
        elif name.startswith(("head.classifier.", "classifier.")):
            # classifier.1 in a sequence of dropout and the linear layer
            target = name.removeprefix("head.").replace("classifier.1.", "classifier.")
        elif name.startswith(prefix):
            target = "bert." + name.removeprefix(prefix)
        else:
            surplus.append(name)
            continue
        target = target.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if target in parameters:  # one parameter under two names
            surplus.append(name)
        else:
            parameters[target] = tensor
    return parameters, surplus


def _rows(classifier: torch.Tensor | None) -> int:
    return classifier.shape[0] if classifier is not None and classifier.ndim else 0


def random_weights(shape: BertShape, *, labels: int) -> dict[str, torch.Tensor]:
    """BERT's initial weights from a fixed seed, to measure speed and memory, which do not depend on the weights."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.ones(size)
        if name.endswith("LayerNorm.weight")
        else torch.randn(size, generator=generator) * (0.02 if len(size) > 1 else 0.0)
        for name, size in expected_shapes(shape, labels=labels).items()
    }


def _names(names: list[str], *, most: int = 6) -> str:
    if not names:
        return "-"
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} (+{len(names) - most})"
