"""Routes in the shapes of other services, for the clients that people have: OpenAI, Cohere, Hugging Face's TEI.

Each answers from the same engine as our own routes. Which tool needs which address: docs/clients.md. Fields that these
services know and this one has no use for are let pass; what would change the answer and cannot be done is refused.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from wenmo.api.problems import SafeJSONResponse
from wenmo.api.schemas import MAX_TEXTS, Text
from wenmo.errors import InputError
from wenmo.tasks.embedding import normalized
from wenmo.version import __version__

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.types import SimilarityResult

MAX_INPUTS = 2_048  # texts to embed in one call: OpenAI's own limit, which its clients fill


def _no_token_ids(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], (int, list)):
        raise PydanticCustomError(
            "token_ids",
            "Should be texts, not token ids of another model (LangChain: check_embedding_ctx_length=False)",
        )
    return value


Inputs = Annotated[
    Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)] | Text,
    BeforeValidator(_no_token_ids),
    Field(description="A text or a list of texts.", examples=[["墨色温润，包装也用心"]]),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")


class EmbeddingsRequest(_Request):
    """Texts, as OpenAI's /v1/embeddings takes them."""

    input: Inputs
    model: Annotated[str | None, Field(description="Let pass; the server's model is used.")] = None
    encoding_format: Annotated[Literal["float", "base64"], Field(description="base64: of float32, little-endian.")] = (
        "float"
    )
    dimensions: Annotated[
        StrictInt | None, Field(description="Only the number that the model has: vectors are not shortened.")
    ] = None


class EmbeddingsItem(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: Annotated[list[float] | str, Field(description="Of length 1.")]


class Usage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    object: Literal["list"]
    data: list[EmbeddingsItem]
    model: str
    usage: Usage


class Model(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsResponse(BaseModel):
    object: Literal["list"]
    data: list[Model]


class CohereRerankRequest(_Request):
    """A query and documents, as Cohere's /v2/rerank takes them."""

    query: Text
    documents: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    top_n: Annotated[StrictInt | None, Field(ge=1)] = None
    model: Annotated[str | None, Field(description="Let pass; the server's model is used.")] = None


class CohereRerankItem(BaseModel):
    index: int
    relevance_score: float


class CohereRerankResponse(BaseModel):
    id: str
    results: list[CohereRerankItem]


class TeiEmbedRequest(_Request):
    """Texts, as TEI's /embed takes them."""

    inputs: Inputs
    normalize: StrictBool = True
    dimensions: Annotated[
        StrictInt | None, Field(description="Only the number that the model has: vectors are not shortened.")
    ] = None


class TeiRerankRequest(_Request):
    """A query and texts, as TEI's /rerank takes them."""

    query: Text
    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS)]
    raw_scores: Annotated[StrictBool, Field(description="The logit in place of the probability.")] = False
    return_text: StrictBool = False


class TeiRank(BaseModel):
    index: int
    score: float
    text: str | None = None


Sequence = Annotated[list[Text], Field(min_length=1, max_length=2)]


class TeiPredictRequest(_Request):
    """A text (sentiment), a pair (similarity) or a list of either, as TEI's /predict takes them."""

    inputs: Annotated[
        Text | Sequence | Annotated[list[Sequence], Field(min_length=1, max_length=MAX_TEXTS)],
        Field(
            description='"text", or ["first", "second"], or a list of ["text"] or ["first", "second"].',
            examples=[[["墨色温润"], ["纸太薄了"]]],
        ),
    ]
    raw_scores: Annotated[StrictBool, Field(description="Logits in place of probabilities.")] = False


class TeiPrediction(BaseModel):
    score: float
    label: str


class TeiInfo(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, dict[str, str]]
    max_input_length: int
    max_client_batch_size: int
    version: str


def add_compatible_routes(
    app: FastAPI, get_engine: Callable[[], Engine], *, errors: dict[int | str, dict[str, Any]]
) -> None:
    """Add all of them; `errors` are described as those of the other routes."""
    _add_openai(app, get_engine, errors)
    _add_tei(app, get_engine, errors)

    @app.post("/v2/rerank", response_model=CohereRerankResponse, responses=errors)
    def cohere_rerank(body: CohereRerankRequest) -> Response:
        """As Cohere's: the documents that say what the query says, best first (cross-encoder)."""
        best = ranked(get_engine(), body.query, body.documents)[: body.top_n]
        results = [{"index": index, "relevance_score": result.similarity} for index, result in best]
        return SafeJSONResponse({"id": str(uuid.uuid4()), "results": results})


def _add_openai(app: FastAPI, get_engine: Callable[[], Engine], errors: dict[int | str, dict[str, Any]]) -> None:
    @app.post("/v1/embeddings", response_model=EmbeddingsResponse, responses=errors)
    def embeddings(body: EmbeddingsRequest) -> Response:
        """As OpenAI's: the vector of each text, of length 1."""
        engine = get_engine()
        texts = [body.input] if isinstance(body.input, str) else body.input
        _check_dimensions(engine, body.dimensions)
        vectors = normalized(engine.embed(texts)).astype("<f4")
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode()
                if body.encoding_format == "base64"
                else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = engine.count_tokens("embedding", texts)
        return SafeJSONResponse(
            {
                "object": "list",
                "data": data,
                "model": engine.model_info("embedding").name,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    @app.get("/v1/models", response_model=ModelsResponse, responses={401: errors[401], 500: errors[500]})
    def models() -> Response:
        """As OpenAI's: the models that are served."""
        names = dict.fromkeys(get_engine().model_names.values())
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "wenmo"} for name in names]
        return SafeJSONResponse({"object": "list", "data": data})


def _add_tei(app: FastAPI, get_engine: Callable[[], Engine], errors: dict[int | str, dict[str, Any]]) -> None:
    @app.post("/embed", response_model=list[list[float]], responses=errors)
    def tei_embed(body: TeiEmbedRequest) -> Response:
        """As TEI's: the vector of each text."""
        engine = get_engine()
        _check_dimensions(engine, body.dimensions)
        vectors = engine.embed([body.inputs] if isinstance(body.inputs, str) else body.inputs)
        return SafeJSONResponse((normalized(vectors) if body.normalize else vectors).astype(np.float32).tolist())

    @app.post("/rerank", response_model=list[TeiRank], response_model_exclude_none=True, responses=errors)
    def tei_rerank(body: TeiRerankRequest) -> Response:
        """As TEI's: the texts that say what the query says, best first (cross-encoder)."""
        return SafeJSONResponse(
            [
                {"index": index, "score": result.logits[0][-1] if body.raw_scores else result.similarity}
                | ({"text": body.texts[index]} if body.return_text else {})
                for index, result in ranked(get_engine(), body.query, body.texts)
            ]
        )

    @app.post("/predict", response_model=list[TeiPrediction] | list[list[TeiPrediction]], responses=errors)
    def tei_predict(body: TeiPredictRequest) -> Response:
        """As TEI's: the labels of a text (sentiment) or of a pair (similarity), the best first."""
        engine = get_engine()
        given = body.inputs
        single = isinstance(given, str) or isinstance(given[0], str)
        sequences: list[Any] = [[given] if isinstance(given, str) else given] if single else list(given)
        kinds = {len(sequence) for sequence in sequences}
        if len(kinds) > 1:
            raise InputError(
                "Texts and pairs are judged by different models. Send them in calls of their own.",
                "单句与句对由不同的模型判断。请分开发送。",
            )
        if kinds == {2}:
            results: Any = engine.similarity([(first, second) for first, second in sequences])
            task = "similarity"
        else:
            results = engine.sentiment([text for (text,) in sequences])
            task = "sentiment"
        labels = engine.model_info(task).labels
        answers = []
        for result in results:
            scores = dict(zip(labels, result.logits[0], strict=True)) if body.raw_scores else result.scores
            ordered = sorted(scores.items(), key=lambda each: -each[1])
            answers.append([{"score": score, "label": label} for label, score in ordered])
        return SafeJSONResponse(answers[0] if single else answers)

    @app.get("/info", response_model=TeiInfo, responses={401: errors[401], 500: errors[500]})
    def tei_info() -> Response:
        """As TEI's: the embedding model, and how much it takes."""
        engine = get_engine()
        info = engine.model_info("embedding")
        return SafeJSONResponse(
            {
                "model_id": info.name,
                "model_sha": info.digest,
                "model_dtype": info.precision.value,
                "model_type": {"embedding": {"pooling": "mean"}},
                "max_input_length": info.max_length,
                "max_client_batch_size": MAX_INPUTS,
                "version": __version__,
            }
        )


def ranked(engine: Engine, query: str, texts: list[str]) -> list[tuple[int, SimilarityResult]]:
    """Each text's index and similarity to the query, best first."""
    results = engine.similarity([(query, text) for text in texts])
    return sorted(enumerate(results), key=lambda each: -each[1].similarity)


def _check_dimensions(engine: Engine, dimensions: int | None) -> None:
    size = engine.model_info("embedding").vector_size
    if dimensions not in (None, size):
        raise InputError(
            f"dimensions is {dimensions}: the vectors of this model have {size} numbers and cannot be shortened. Leave "
            "it out.",
            f"dimensions 为 {dimensions}：此模型的向量为 {size} 维，不能截短。请去掉此项。",
        )
