"""The bodies of REST requests and responses: their shapes, their limits, and examples for the OpenAPI schema.

Only shapes and sizes are checked here; the engine checks what a text or a label contains. Unknown fields are refused,
so that a misspelt option is an error, not a silent default; only rerank passes them over, for clients of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wenmo.tasks.labels import MAX_LABELS, split_labels
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.zero_shot import MAX_HYPOTHESES, SHORTLIST, hypotheses_each
from wenmo.types import Result, ZeroShotMethod

# Limits of one call, which bound the memory and the time that one client can take. `python -m wenmo run` takes files of
# any length.
MAX_BODY_BYTES = 8 * 1024 * 1024  # of the whole request, before it is parsed
MAX_TEXTS = 256  # texts, or pairs, in one call
MAX_CHARACTERS = 100_000  # in one text; the model reads 512 tokens of it, and the result says that it was cut
MAX_LABEL_CHARACTERS = 512  # in one label, and in the template; more does not fit into the model
MAX_ANALYZE_CHARACTERS = 512  # in the text of /analyze, whose clients expect a longer one to be refused and not cut


def _too_long(limit: int, actual: int) -> PydanticCustomError:
    return PydanticCustomError(
        "string_too_long",
        "Should have at most {max_length} characters, not {actual_length}",
        {"max_length": limit, "actual_length": actual},
    )


def _length_up_to(limit: int) -> AfterValidator:
    # Not Field(max_length=...): pydantic encodes a str as UTF-8 to measure it, and so refuses a lone surrogate, which
    # JSON can carry and the engine accepts.
    def check(value: str) -> str:
        if len(value) > limit:
            raise _too_long(limit, len(value))
        return value

    return AfterValidator(check)


def _as_list(labels: list[str] | str) -> list[str]:
    return split_labels(labels) if isinstance(labels, str) else labels


def _check_labels(value: list[str] | str) -> list[str] | str:
    # Only measured here; the engine splits the labels and drops blank and repeated ones.
    labels = _as_list(value)
    if len(labels) > MAX_LABELS:
        raise PydanticCustomError(
            "too_long",
            "Should have at most {max_length} items, not {actual_length}",
            {"max_length": MAX_LABELS, "actual_length": len(labels)},
        )
    longest = max(map(len, labels), default=0)
    if longest > MAX_LABEL_CHARACTERS:
        raise _too_long(MAX_LABEL_CHARACTERS, longest)
    return value


Text = Annotated[str, _length_up_to(MAX_CHARACTERS), Field(json_schema_extra={"maxLength": MAX_CHARACTERS})]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SimilarityRequest(_Request):
    """Pairs of sentences; the model reads both of a pair together."""

    pairs: Annotated[
        list[tuple[Text, Text]],
        Field(
            min_length=1,
            max_length=MAX_TEXTS,
            examples=[[["桥头的茶馆几点开门", "那家茶馆早上什么时候营业"], ["今晚有雨", "这支毛笔很好写"]]],
        ),
    ]


class TextsRequest(_Request):
    """Texts, each of them read alone."""

    texts: Annotated[
        list[Text],
        Field(min_length=1, max_length=MAX_TEXTS, examples=[["墨色温润，包装也用心", "纸太薄了，一写就透"]]),
    ]


class ZeroShotRequest(TextsRequest):
    """Texts, and the labels to sort them into."""

    labels: Annotated[
        list[str] | str,
        AfterValidator(_check_labels),
        Field(
            description=f"At most {MAX_LABELS}, those judged times texts at most {MAX_HYPOTHESES}: a list, or a string "
            "with , ， 、 ; ； | or line breaks between them.",
            examples=[["物流", "质量", "价格"]],
        ),
    ]
    template: Annotated[
        str,
        _length_up_to(MAX_LABEL_CHARACTERS),
        Field(description="The sentence that a label is put into, at {}.", examples=["这句话说的是{}"]),
    ] = "{}"
    multi_label: Annotated[
        StrictBool,
        Field(description="Score each label alone (true), or all against each other (false).", examples=[False]),
    ] = False

    method: Annotated[
        ZeroShotMethod,
        Field(
            description="nli judges each label, as ModelScope does; embedding takes the one whose vector is nearest "
            "(one forward a text); ensemble asks both; two_stage judges the shortlist nearest ones. auto is ensemble "
            "for the bundled models, and nli for others, for multi_label and for a single label.",
            examples=["auto"],
        ),
    ] = "auto"
    shortlist: Annotated[
        StrictInt, Field(ge=1, le=MAX_LABELS, description="Labels that two_stage judges.", examples=[SHORTLIST])
    ] = SHORTLIST

    @model_validator(mode="after")
    def _check_hypotheses(self) -> ZeroShotRequest:
        labels = len({label.strip() for label in _as_list(self.labels)} - {""})
        hypotheses = len(self.texts) * hypotheses_each(labels, self.method, shortlist=self.shortlist)
        if hypotheses > MAX_HYPOTHESES:
            raise PydanticCustomError(
                "too_many_hypotheses",
                "Should have at most {max_length} texts times labels, not {actual_length}",
                {"max_length": MAX_HYPOTHESES, "actual_length": hypotheses},
            )
        return self


def _text_of(value: Any) -> Any:
    """The text of a document, which is a string or an object with one as `text`."""
    return value["text"] if isinstance(value, dict) and isinstance(value.get("text"), str) else value


_FLAGS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


def _flag(value: Any) -> bool:
    """true or false, also as a string or as 0 and 1; null is false."""
    if isinstance(value, bool) or value is None:
        return bool(value)
    known = _FLAGS.get(str(value).strip().lower()) if isinstance(value, (str, int)) else None
    if known is None:
        raise PydanticCustomError("bool_type", "Should be true or false")
    return known


def _count(value: Any) -> Any:
    """A whole number, also as a string of digits."""
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
    return int(value) if digits else value


_TEXT_SCHEMA: dict[str, Any] = {"type": "string", "maxLength": MAX_CHARACTERS}
Document = Annotated[
    str,
    BeforeValidator(_text_of),
    _length_up_to(MAX_CHARACTERS),
    WithJsonSchema(
        {"anyOf": [_TEXT_SCHEMA, {"type": "object", "properties": {"text": _TEXT_SCHEMA}, "required": ["text"]}]}
    ),
]
Flag = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema(
        {
            "anyOf": [{"type": "boolean"}, {"type": "null"}, {"enum": [0, 1]}],
            "description": "Also as a string.",
            "default": False,
        }
    ),
]


class RerankRequest(BaseModel):
    """A query and documents, in the shape of common reranking services (Cohere, Jina, Voyage, TEI).

    What their clients send besides is passed over, and null is as if the field were not there.
    """

    model_config = ConfigDict(extra="ignore")

    query: Annotated[Document, Field(examples=["怎么开发票"])]
    documents: Annotated[
        list[Document],
        Field(
            min_length=1,
            max_length=MAX_TEXTS,
            validation_alias=AliasChoices("documents", "texts"),
            description="Texts, or objects with a text; also as `texts`.",
            examples=[["发票在哪里下载", "营业时间是几点", "如何申请电子发票"]],
        ),
    ]
    top_n: Annotated[
        Annotated[StrictInt, Field(ge=1)] | None,
        BeforeValidator(_count),
        Field(
            validation_alias=AliasChoices("top_n", "top_k"),
            description="How many of the best to return; all without it. Also as `top_k`.",
            examples=[2],
        ),
    ] = None
    return_documents: Annotated[
        Flag,
        Field(
            validation_alias=AliasChoices("return_documents", "return_text"),
            description="Whether each result repeats its document. Also as `return_text`.",
            examples=[False],
        ),
    ] = False
    model: Annotated[
        Any,
        Field(description="Taken from clients that send one; the server's is used.", examples=["wenmo-similarity"]),
    ] = None


class _Result(BaseModel):
    label: str
    score: float
    scores: Annotated[dict[str, float], Field(description="Probability of each label, best first.")]
    truncated: Annotated[bool, Field(description="Whether the model did not see all of the text.")]
    unknown: Annotated[
        float | None, Field(description="Share of the text's tokens that the model does not know, if there are any.")
    ] = None


class EmbedItem(BaseModel):
    embedding: Annotated[list[float], Field(description="Mean of the encoder's last states over the text's tokens.")]


class RerankItem(BaseModel):
    index: Annotated[int, Field(description="Place of the document in the request, from 0.")]
    relevance_score: Annotated[float, Field(description="Probability that query and document say the same.")]
    truncated: Annotated[bool, Field(description="Whether the model did not see all of query and document.")]
    document: Annotated[dict[str, str] | None, Field(description='{"text": ...}, where asked for.')] = None


class _Response(BaseModel):
    model: Annotated[str, Field(examples=["wenmo-similarity"])]
    precision: Annotated[str, Field(examples=["fp32"])]


class RerankResponse(_Response):
    results: Annotated[list[RerankItem], Field(description="Best first.")]


_REQUESTS: Mapping[tuple[str, bool], type[_Request]] = {  # by a task's `inputs` and `takes_labels`
    ("pair", False): SimilarityRequest,
    ("text", False): TextsRequest,
    ("text", True): ZeroShotRequest,
}


def request_model(spec: TaskSpec) -> type[_Request]:
    """The body of a request to the task's route."""
    return _REQUESTS[spec.inputs, spec.takes_labels]


def response_model(spec: TaskSpec) -> type[_Response]:
    """The body of the task's response: an item for each input, with the fields of the task's result.

    The task must have a result for each input.
    """
    assert spec.result is not None, spec.name
    stem = spec.result.__name__.removesuffix("Result")
    shared = {field.name for field in fields(Result)}
    hints = get_type_hints(spec.result)
    own: dict[str, Any] = {
        field.name: (_as_json(hints[field.name]), Field(description=field.metadata.get("description")))
        for field in fields(spec.result)
        if field.name not in shared
    }
    item = create_model(f"{stem}Item", __base__=_Result, **own)
    results: Any = list[item]  # type: ignore[valid-type]
    return create_model(f"{stem}Response", __base__=_Response, results=(results, ...))


def _as_json(hint: Any) -> Any:
    """The type of a result's field in JSON: a tuple of texts becomes a list."""
    return list[str] if hint == tuple[str, ...] else hint


class EmbedResponse(_Response):
    results: list[EmbedItem]


# Only for the schema: the route itself answers a body that does not fit, with 400 or 413.
ANALYZE_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": MAX_ANALYZE_CHARACTERS}},
    "required": ["text"],
}


class AnalyzeResponse(BaseModel):
    label: Annotated[str, Field(examples=["Positive"])]
    confidence: Annotated[float, Field(examples=[0.97])]
    text: Annotated[str, Field(examples=["墨色温润，包装也用心"])]


class Problem(BaseModel):
    """RFC 9457 problem details; `errors` names the fields of the body that do not fit."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None
