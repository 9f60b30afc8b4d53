"""What a model folder holds, from its JSON files alone: shape, task, labels and their order, pooling, lengths.

Three layouts are read:

    ModelScope's              configuration.json names one of our tasks; labels are looked for as ModelScope does
    transformers'             config.json; `architectures` says whether it classifies, `id2label` what
    sentence-transformers'    modules.json, with pooling, dense layers, normalisation and prompts

What a label means is found by its name, in any order of ids: the logits are permuted into the order of the task's
roles when the weights are read, so that nothing downstream depends on a checkpoint's order. A label whose meaning no
table knows would invert answers if it were guessed, so it is asked for (`label_names`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from wenmo.errors import CheckpointError
from wenmo.models.config_files import CONFIG_FILE, CONFIGURATION_FILE, bad_value, read_json, read_optional_json
from wenmo.models.hub_tasks import general_tasks, hub_task_names, named_task
from wenmo.models.label_names import are_made_up, logit_labels, parse_label_names, transformers_labels
from wenmo.models.shape import MODEL_TYPES, BertShape
from wenmo.models.vector_head import MEAN, Modules, VectorHead, modelscope_head, read_modules
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import OPTIONS_FILE
from wenmo.types import TaskName

ONNX_FILE = "model.onnx"  # instead of weights, where `wenmo export` has written the folder
DEFAULT_MAX_LENGTH = 512  # tokens; ModelScope's default
MIN_MAX_LENGTH = 5  # tokens: [CLS] a [SEP] b [SEP]
MAX_LAYERS = 1_000
MAX_MAX_LENGTH = 100_000  # a larger model_max_length of transformers means that there is none
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_python", "relu", "silu", "swish", "tanh")
_SIZES = tuple(field.name for field in fields(BertShape) if field.default is MISSING)

Layout = Literal["modelscope", "transformers", "sentence-transformers"]
Head = Literal["classifier", "next_sentence", "none"]  # on top of the encoder
_HEADS: Mapping[str, Head] = {  # by transformers' classes
    "BertForSequenceClassification": "classifier",
    "BertForNextSentencePrediction": "next_sentence",
    "BertModel": "none",
    "BertForMaskedLM": "none",
    "BertForPreTraining": "none",
}
_OTHER_HEADS: Mapping[str, str] = {
    "BertForTokenClassification": "labels each token",
    "BertForQuestionAnswering": "marks an answer in a text",
    "BertForMultipleChoice": "chooses among texts",
    "BertLMHeadModel": "generates text",
}
_OTHER_MODELS: Mapping[str, str] = {
    "albert": "ALBERT",
    "bart": "BART",
    "chinese_clip": "Chinese-CLIP",
    "deberta": "DeBERTa",
    "deberta-v2": "DeBERTa",
    "distilbert": "DistilBERT",
    "electra": "ELECTRA",
    "ernie": "ERNIE",
    "gpt2": "GPT-2, a generative model",
    "llama": "Llama, a generative model",
    "longformer": "Longformer",
    "megatron-bert": "Megatron-BERT",
    "modernbert": "ModernBERT",
    "mt5": "mT5, a generative model",
    "nezha": "NEZHA",
    "qwen2": "Qwen2, a generative model",
    "qwen3": "Qwen3, a generative model",
    "roberta": "RoBERTa; the Chinese ones that are BERT say bert",
    "roformer": "RoFormer",
    "t5": "T5, a generative model",
    "xlm-roberta": "XLM-RoBERTa",
}
# Named in refusals: well-known models of the same purpose that can be read.
_WOULD_FIT = (
    "iic/nlp_structbert_* of ModelScope, IDEA-CCNL/Erlangshen-Roberta-110M-*, BAAI/bge-*-zh-v1.5, hfl/chinese-*"
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """A model folder as its JSON files describe it.

    `encoder_folder` has config.json, the tokenizer and the weights. `tasks` are those that it can serve as it is, the
    likeliest first; embedding, which any can serve, only where it is the model's own. `labels` are the checkpoint's
    names of its logits, in the order of the ids. `given_names`: somebody gave them; `made_up`: nobody did.
    `has_pooler`: its head is on the pooler's output rather than on the last layer's.
    """

    folder: Path
    encoder_folder: Path
    layout: Layout
    shape: BertShape
    head: Head
    has_pooler: bool
    tasks: tuple[TaskSpec, ...]
    labels: tuple[str, ...]
    given_names: bool
    made_up: bool
    vector_head: VectorHead
    max_length: int | None  # tokens, by the files
    lower_case: bool
    prompts: Mapping[str, str]
    default_prompt: str | None
    configuration: Mapping[str, Any]  # of configuration.json, ModelScope's or our own, empty where there is none
    token_types: bool  # whether the second text of a pair has token type 1

    @property
    def needs_label_names(self) -> bool:
        """Whether nobody knows yet what its labels mean."""
        return self.head != "none" and not self.tasks

    def task_for(self, task: TaskName | None) -> TaskSpec:
        """The task that it serves if `task` is asked for; None asks for its own. Raises CheckpointError.

        Any model can serve embedding, by its last layer.
        """
        if task is None:
            if not self.tasks:
                raise self._unknown_labels(None)
            return self.tasks[0]
        asked = TASKS[task]
        if asked in self.tasks or asked.outputs == "vectors" or self.needs_label_names:
            return asked
        if self.head == "none":
            raise CheckpointError(
                f"{self.folder} is a model for vectors, not for {asked.name}: it has no classifier. Choose a "
                f"{asked.name} model, or make one of it (`wenmo train adapt`).",
                f"{self.folder} 是向量模型，没有分类器，不能用于{asked.title_zh}。请选择 {asked.name} 模型，"
                "或用 `wenmo train adapt` 训练。",
            )
        if self.layout == "transformers" and asked.roles:  # of any labels: they may have the meaning asked for
            raise self._unknown_labels(asked)
        serves = " or ".join(each.name for each in self.tasks)
        raise CheckpointError(
            f"{self.folder} is a model for {serves}, not for {asked.name}. Choose a {asked.name} model.",
            f"{self.folder} 是 {serves} 模型，而不是 {asked.name} 模型。请选择 {asked.name} 模型。",
        )

    def order_for(self, spec: TaskSpec) -> tuple[int, ...]:
        """For each label of `spec`, the id of the logit that means it. Raises CheckpointError."""
        if spec.outputs == "vectors":
            return tuple(range(len(self.labels)))
        if not spec.roles:
            if self.needs_label_names:
                raise self._unknown_labels(spec)
            return tuple(range(len(self.labels)))
        if self._by_position(spec):
            if len(self.labels) != len(spec.roles):
                raise CheckpointError(
                    f"{self.folder}: a {spec.name} model has {len(spec.roles)} labels, this classifier has "
                    f"{len(self.labels)} rows. Choose another checkpoint.",
                    f"{self.folder}：{spec.name} 模型应有 {len(spec.roles)} 个标签，"
                    f"而此分类器有 {len(self.labels)} 行。请换一个模型。",
                )
            if spec.takes_labels:
                return tuple(range(len(self.labels)))
        order = spec.order_of(self.labels)
        if order is not None and (self._by_position(spec) or not self.made_up):
            return order
        if self._by_position(spec) and all(
            spec.role_of(label) in (None, index) for index, label in enumerate(self.labels)
        ):
            return tuple(range(len(self.labels)))
        raise self._unknown_labels(spec)

    def _by_position(self, spec: TaskSpec) -> bool:
        """Whether the order of the labels is known from ModelScope's task, whatever their names are."""
        return self.layout == "modelscope" and not self.given_names and named_task(self.configuration) == spec

    def _unknown_labels(self, spec: TaskSpec | None) -> CheckpointError:
        roles = () if spec is None else tuple(role.key for role in spec.roles)
        example = ",".join(roles if len(roles) == len(self.labels) else ("…",) * len(self.labels))
        shown = ", ".join(self.labels[:8])
        purpose, purpose_zh = ("", "") if spec is None else (f" for {spec.name}", f"对 {spec.name} ")
        return CheckpointError(
            f"{self.folder}: nothing tells what its labels {shown} mean{purpose}. Say it once, in the order of the "
            f"ids: label_names in Python, --label-names on the command line (such as --label-names {example}), or the "
            "Models page.",
            f"{self.folder}：无从得知标签 {shown} {purpose_zh}的含义。请按编号顺序说明一次："
            f"Python 中用 label_names，命令行用 --label-names（例如 --label-names {example}），或在“模型”页填写。",
        )

    def length(self, spec: TaskSpec, sequence_length: int | None = None) -> int:
        """The most tokens that an input may have; `sequence_length` where the files do not say."""
        length = DEFAULT_MAX_LENGTH
        if not spec.fixed_length:
            length = self.max_length or sequence_length or DEFAULT_MAX_LENGTH
        return min(length, self.shape.max_position_embeddings)

    def temperatures(self) -> dict[str, float]:
        """Those in configuration.json, `{"calibration": {"similarity": 1.3}}`; 1 where there is none."""
        given = self.configuration.get("calibration", {})
        names = [name for spec in self.tasks for name in spec.calibrations]
        temperatures = dict.fromkeys(names, 1.0)
        if not isinstance(given, dict) or set(given) - set(temperatures):
            raise bad_value(self.folder, CONFIGURATION_FILE, "calibration", given)
        for name in temperatures:
            value = given.get(name, 1.0)
            if type(value) not in (int, float) or not 0.05 <= value <= 20:
                raise bad_value(self.folder, CONFIGURATION_FILE, f"calibration.{name}", value)
            temperatures[name] = float(value)
        return temperatures


def describe(folder: Path, *, label_names: Sequence[str] | str | None = None) -> Description:
    """What `folder` holds. `label_names` are names for its labels, in the order of the ids, instead of its own.

    Raises CheckpointError for what cannot be read, and InputError for `label_names` that do not fit.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder. Give a model folder, a bundled name or a hub id (iic/...).",
            f"{folder} 不是文件夹。请给出模型文件夹、自带模型名或模型库 ID（iic/…）。",
        )
    configuration = _configuration(folder)
    modules = read_modules(folder)
    if modules is not None:
        return _sentence_transformers(folder, modules)
    config = read_json(folder, CONFIG_FILE)
    backbone = configuration["model"].get("backbone")
    if isinstance(backbone, Mapping):
        config = {**backbone, **config}
    own, general = named_task(configuration), general_tasks(configuration)
    if own is None and not general and not _architecture(config):
        raise _unknown_task(folder, configuration)
    shape = _shape(folder, config)
    modelscope = own is not None or bool(general)
    head: Head = "none" if own is not None and own.outputs == "vectors" else "classifier"
    has_pooler = True
    if not modelscope:
        head, has_pooler = _head(folder, config)
    labels: tuple[str, ...] = ()
    made_up = False
    if head != "none":
        labels = _labels(folder, config, configuration, own) if modelscope else transformers_labels(folder, config)
        # Numbers are what ModelScope's own models have; in transformers' layout they say no more than LABEL_0.
        made_up = are_made_up(labels, numbers=not modelscope)
        if label_names is not None:
            labels, made_up = _given(folder, labels, label_names), False
    described = Description(
        folder=folder,
        encoder_folder=folder,
        layout="modelscope" if modelscope else "transformers",
        shape=shape,
        head=head,
        has_pooler=has_pooler,
        tasks=_tasks(labels, head, own, general, given=label_names is not None, known=not made_up),
        labels=labels,
        given_names=label_names is not None,
        made_up=made_up,
        vector_head=modelscope_head(folder, configuration["model"]) if own and own.outputs == "vectors" else MEAN,
        max_length=_configured_length(folder, configuration) if modelscope else _model_max_length(folder),
        lower_case=False,
        prompts={},
        default_prompt=None,
        configuration=configuration,
        token_types=_token_types(folder),
    )
    return described


def _sentence_transformers(folder: Path, modules: Modules) -> Description:
    encoder = folder / modules.encoder
    config = read_json(encoder, CONFIG_FILE)
    shape = _shape(encoder, config)
    checked = read_modules(folder, hidden_size=shape.hidden_size)
    assert checked is not None
    lengths = [length for length in (checked.max_length, _model_max_length(encoder)) if length is not None]
    return Description(
        folder=folder,
        encoder_folder=encoder,
        layout="sentence-transformers",
        shape=shape,
        head="none",
        has_pooler=False,
        tasks=tuple(spec for spec in TASKS.values() if spec.outputs == "vectors"),
        labels=(),
        given_names=False,
        made_up=False,
        vector_head=checked.head,
        max_length=min(lengths, default=None),
        lower_case=checked.lower_case,
        prompts=checked.prompts,
        default_prompt=checked.default_prompt,
        configuration=_configuration(folder),
        token_types=_token_types(encoder),
    )


def _configuration(folder: Path) -> dict[str, Any]:
    """configuration.json with all sections that are read, empty where it has none."""
    configuration = read_optional_json(folder, CONFIGURATION_FILE)
    for section in ("model", "pipeline", "preprocessor"):
        if not isinstance(configuration.setdefault(section, {}) or {}, dict):
            raise bad_value(folder, CONFIGURATION_FILE, section, configuration[section])
        configuration[section] = configuration[section] or {}
    return configuration


def _labels(
    folder: Path, config: Mapping[str, Any], configuration: Mapping[str, Any], own: TaskSpec | None
) -> tuple[str, ...]:
    """The labels of a folder in ModelScope's layout. Its zero-shot pipeline ignores the label map."""
    if own is not None and own.takes_labels:
        return own.label_names
    return logit_labels(
        folder,
        config=config,
        configuration=configuration,
        label_mapping=read_optional_json(folder, "label_mapping.json") or None,
        count=len(own.roles) if own is not None and own.roles else None,
    )


def _given(folder: Path, labels: tuple[str, ...], label_names: Sequence[str] | str) -> tuple[str, ...]:
    names = parse_label_names(label_names)
    if len(names) != len(labels):
        raise CheckpointError(
            f"{folder} has {len(labels)} labels ({', '.join(labels[:8])}); {len(names)} names were given. Give one for "
            "each, in the order of the ids.",
            f"{folder} 有 {len(labels)} 个标签（{'、'.join(labels[:8])}），却给了 {len(names)} 个名称。"
            "请按编号逐一给出。",
        )
    return names


def _tasks(
    labels: tuple[str, ...], head: Head, own: TaskSpec | None, general: Sequence[TaskSpec], *, given: bool, known: bool
) -> tuple[TaskSpec, ...]:
    """The tasks that a model with these labels can serve, the likeliest first."""
    if head == "none":
        return tuple(spec for spec in TASKS.values() if spec.outputs == "vectors")
    of_any_labels = tuple(spec for spec in TASKS.values() if spec.any_labels)
    if own is not None and not given:
        return (own, *(spec for spec in of_any_labels if own.inputs == "text" and not own.takes_labels and spec != own))
    found = [spec for spec in TASKS.values() if known and spec.roles and spec.order_of(labels) is not None]
    if general:  # ModelScope's task narrows it down
        found = [spec for spec in found if spec in general]
        of_any_labels = tuple(spec for spec in of_any_labels if spec in general)
    if any(spec.takes_labels for spec in found):  # a premise and a hypothesis: no single text has such labels
        return tuple(found)
    return (*found, *(of_any_labels if known else ()))


def _architecture(config: Mapping[str, Any]) -> str | None:
    names = config.get("architectures")
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None


def _head(folder: Path, config: Mapping[str, Any]) -> tuple[Head, bool]:
    """The head of a checkpoint in transformers' layout, and whether it is on the pooler. Raises CheckpointError."""
    name = _architecture(config)
    assert name is not None
    if name in _OTHER_HEADS or config.get("is_decoder"):
        does = _OTHER_HEADS.get(name, "generates text")
        raise CheckpointError(
            f"{folder} is a {name}, which {does}. Models that classify whole texts or make vectors of them can be "
            f"read: BertForSequenceClassification, BertModel. Such are {_WOULD_FIT}.",
            f"{folder} 是 {name}，用途不同。这里读取对整段文本分类或生成向量的模型："
            f"BertForSequenceClassification、BertModel，例如 {_WOULD_FIT}。",
        )
    problem = config.get("problem_type")
    count = config.get("id2label")
    single = isinstance(count, Mapping) and len(count) == 1
    if name not in ("BertModel", "BertForMaskedLM", "BertForPreTraining") and (
        single or problem in ("regression", "multi_label_classification")
    ):
        kind = "multi_label_classification" if problem == "multi_label_classification" else "regression"
        raise CheckpointError(
            f"{folder} was trained for {kind}, whose outputs are no choice between labels. Choose a classifier of one "
            "label out of several.",
            f"{folder} 是按 {kind} 训练的，其输出不是在标签中择一。请选用单标签分类模型。",
        )
    # A class of somebody's own: with a classifier on the last layer, as the weights have to show.
    return _HEADS.get(name, "classifier"), name in _HEADS


def _unknown_task(folder: Path, configuration: Mapping[str, Any]) -> CheckpointError:
    if not (folder / CONFIGURATION_FILE).is_file():
        return CheckpointError(
            f"{folder} has no configuration.json (ModelScope's), and its config.json names no architectures "
            "(transformers'), so that nothing tells what the model does. Download the whole model again.",
            f"{folder} 里没有 configuration.json（ModelScope），config.json 也没有 architectures（transformers），"
            "无从得知模型的用途。请重新下载完整的模型。",
        )
    known = ", ".join(sorted(hub_task_names()))
    return CheckpointError(
        f"{folder}: configuration.json names the task {configuration.get('task')!r}, which is none of {known}. "
        "Choose a model for one of these tasks.",
        f"{folder}：configuration.json 中的任务 {configuration.get('task')!r} 不属于 {known}。请选择这些任务的模型。",
    )


def _configured_length(folder: Path, configuration: Mapping[str, Any]) -> int | None:
    length = configuration["preprocessor"].get("max_length")
    if length is not None and not (type(length) is int and length >= MIN_MAX_LENGTH):
        raise bad_value(folder, CONFIGURATION_FILE, "preprocessor.max_length", length)
    return length


def _model_max_length(folder: Path) -> int | None:
    length = read_optional_json(folder, OPTIONS_FILE).get("model_max_length")
    return length if type(length) is int and MIN_MAX_LENGTH <= length <= MAX_MAX_LENGTH else None


def _token_types(folder: Path) -> bool:
    """Whether the tokenizer gives the second text another token type; transformers' option may say that it does not."""
    inputs = read_optional_json(folder, OPTIONS_FILE).get("model_input_names")
    return not isinstance(inputs, list) or "token_type_ids" in inputs


def _shape(folder: Path, config: Mapping[str, Any]) -> BertShape:
    model_type = config.get("model_type")
    if model_type not in MODEL_TYPES:
        name = _OTHER_MODELS.get(str(model_type))
        what = f" ({name})" if name else ""
        raise CheckpointError(
            f"{folder}: config.json has model_type {model_type!r}{what}; only BERT's architecture can be read "
            f"({', '.join(MODEL_TYPES)}). Such are {_WOULD_FIT}.",
            f"{folder}：config.json 的 model_type 是 {model_type!r}{what}；这里只能读取 BERT 结构"
            f"（{'、'.join(MODEL_TYPES)}），例如 {_WOULD_FIT}。",
        )
    missing = [name for name in _SIZES if type(config.get(name)) is not int]
    if missing:
        names = ", ".join(missing)
        raise CheckpointError(
            f"{folder}: config.json lacks {names}. Download the model again.",
            f"{folder}：config.json 缺少 {names}。请重新下载模型。",
        )
    sizes = {name: config[name] for name in _SIZES}
    for name, value in sizes.items():
        if value < 1 or (name == "num_hidden_layers" and value > MAX_LAYERS):
            raise bad_value(folder, CONFIG_FILE, name, value)
    if sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise bad_value(folder, CONFIG_FILE, "num_attention_heads", sizes["num_attention_heads"])
    if config.get("hidden_act", "gelu") not in _ACTIVATIONS:
        raise bad_value(folder, CONFIG_FILE, "hidden_act", config["hidden_act"])
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise bad_value(folder, CONFIG_FILE, "position_embedding_type", config["position_embedding_type"])
    eps = config.get("layer_norm_eps", 1e-12)
    if type(eps) is not float or not 0 < eps < 1:
        raise bad_value(folder, CONFIG_FILE, "layer_norm_eps", eps)
    return BertShape(**sizes, hidden_act=config.get("hidden_act", "gelu"), layer_norm_eps=eps)
