"""The clients that people have, over HTTP: OpenAI, Cohere, LangChain; the routes of TEI as its documents show them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import cohere
import httpx2
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings

import wenmo
from tests.serving import assert_problem, serving_here
from wenmo.api.routes import create_api
from wenmo.tasks.embedding import normalized

TOKEN = "a-token-of-enough-length"
TEXTS = ["雨后的院子很清静", "院子里下过雨", "", "发票在哪里下载"]


@pytest.fixture(scope="module")
def service(golden_engine: wenmo.Engine) -> Iterator[httpx2.Client]:
    with serving_here(create_api(lambda: golden_engine, token=TOKEN)) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture(scope="module")
def address(service: httpx2.Client) -> str:
    return str(service.base_url).rstrip("/")


@pytest.fixture(scope="module")
def openai_client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=TOKEN, base_url=f"{address}/v1", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def vectors(golden_engine: wenmo.Engine) -> np.ndarray:
    return normalized(golden_engine.embed(TEXTS))


@pytest.mark.parametrize("how", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_openai_embeddings(
    openai_client: openai.OpenAI, golden_engine: wenmo.Engine, vectors: np.ndarray, how: dict[str, Any]
) -> None:
    answer = openai_client.embeddings.create(model="text-embedding-3-small", input=TEXTS, **how)
    found = [item.embedding for item in answer.data]
    if how.get("encoding_format") == "base64":  # asked for by name, it is handed on as it came
        found = [np.frombuffer(base64.b64decode(item), dtype="<f4").tolist() for item in found]  # type: ignore[arg-type]
    assert np.allclose(found, vectors, atol=1e-6)
    assert [item.index for item in answer.data] == [0, 1, 2, 3]
    assert answer.model == golden_engine.model_info("embedding").name
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > len("".join(TEXTS))
    assert golden_engine.count_tokens("embedding", ["", "甲"]) == 2 + 3


def test_openai_one_text_and_models(openai_client: openai.OpenAI, golden_engine: wenmo.Engine) -> None:
    assert len(openai_client.embeddings.create(model="any", input="甲").data) == 1
    assert {model.id for model in openai_client.models.list()} == set(golden_engine.model_names.values())


def test_openai_is_refused_clearly(openai_client: openai.OpenAI, golden_engine: wenmo.Engine) -> None:
    size = golden_engine.model_info("embedding").hidden_size
    assert openai_client.embeddings.create(model="any", input="甲", dimensions=size).data
    with pytest.raises(openai.UnprocessableEntityError, match=f"{size} numbers"):
        openai_client.embeddings.create(model="any", input="甲", dimensions=size - 1)
    with pytest.raises(openai.UnprocessableEntityError, match="token ids"):
        openai_client.embeddings.create(model="any", input=[[1, 2], [3]])
    with pytest.raises(openai.UnprocessableEntityError, match="at least 1"):
        openai_client.embeddings.create(model="any", input=[])
    with pytest.raises(openai.AuthenticationError):
        openai_client.with_options(api_key="another").embeddings.create(model="any", input="甲")


def test_langchain(address: str, vectors: np.ndarray) -> None:
    embeddings = OpenAIEmbeddings(
        base_url=f"{address}/v1", api_key=TOKEN, model="any", check_embedding_ctx_length=False
    )
    assert np.allclose(embeddings.embed_documents(TEXTS), vectors, atol=1e-6)
    assert np.allclose(embeddings.embed_query(TEXTS[0]), vectors[0], atol=1e-6)


def test_a_thousand_texts_in_one_call(openai_client: openai.OpenAI) -> None:
    """As LangChain sends them by default."""
    assert len(openai_client.embeddings.create(model="any", input=["甲"] * 1_000).data) == 1_000


def ranking(engine: wenmo.Engine) -> list[tuple[int, float]]:
    scores = [result.similarity for result in engine.similarity([("雨后的院子", text) for text in TEXTS])]
    return sorted(enumerate(scores), key=lambda each: -each[1])


def test_cohere_rerank(address: str, golden_engine: wenmo.Engine) -> None:
    with cohere.ClientV2(TOKEN, base_url=address) as client:
        answer = client.rerank(model="any", query="雨后的院子", documents=TEXTS, top_n=3)
    assert [(each.index, each.relevance_score) for each in answer.results] == ranking(golden_engine)[:3]


def test_cohere_rerank_of_the_first_version(address: str, golden_engine: wenmo.Engine) -> None:
    with cohere.Client(TOKEN, base_url=address) as client:
        documents = [TEXTS[0], {"text": TEXTS[1]}, *TEXTS[2:]]
        answer = client.rerank(query="雨后的院子", documents=documents, return_documents=True)
    assert [(each.index, each.relevance_score) for each in answer.results] == ranking(golden_engine)
    assert [each.document.text for each in answer.results] == [TEXTS[index] for index, _ in ranking(golden_engine)]


def test_jina_rerank(service: httpx2.Client, golden_engine: wenmo.Engine) -> None:
    body = {
        "model": "jina-reranker-v2",
        "query": "雨后的院子",
        "documents": TEXTS,
        "top_n": 2,
        "return_documents": True,
    }
    answer = service.post("/v1/rerank", json=body).json()
    found = [(each["index"], each["relevance_score"], each["document"]["text"]) for each in answer["results"]]
    assert found == [(index, score, TEXTS[index]) for index, score in ranking(golden_engine)[:2]]


def test_tei_embed(service: httpx2.Client, golden_engine: wenmo.Engine, vectors: np.ndarray) -> None:
    assert np.allclose(service.post("/embed", json={"inputs": TEXTS}).json(), vectors, atol=1e-6)
    (only,) = service.post("/embed", json={"inputs": TEXTS[0], "normalize": False, "truncate": True}).json()
    assert np.allclose(only, golden_engine.embed(TEXTS[:1])[0], atol=1e-6)
    assert_problem(service.post("/embed", json={"inputs": TEXTS, "dimensions": 7}), 422)
    assert_problem(service.post("/embed", json={}), 422)


def test_tei_rerank(service: httpx2.Client, golden_engine: wenmo.Engine) -> None:
    body = {"query": "雨后的院子", "texts": TEXTS, "return_text": True}
    answer = service.post("/rerank", json=body).json()
    assert [(each["index"], each["score"]) for each in answer] == ranking(golden_engine)
    assert [each["text"] for each in answer] == [TEXTS[each["index"]] for each in answer]
    raw = service.post("/rerank", json={**body, "return_text": False, "raw_scores": True}).json()
    logits = [result.logits[0][-1] for result in golden_engine.similarity([("雨后的院子", text) for text in TEXTS])]
    assert {each["index"]: each["score"] for each in raw} == dict(enumerate(logits)) and "text" not in raw[0]


def test_tei_predict(service: httpx2.Client, golden_engine: wenmo.Engine) -> None:
    def predict(inputs: Any, **how: Any) -> Any:
        return service.post("/predict", json={"inputs": inputs, **how}).json()

    def scores(result: wenmo.Result) -> list[dict[str, Any]]:
        return [{"score": score, "label": label} for label, score in result.scores.items()]

    moods = [scores(result) for result in golden_engine.sentiment(TEXTS[:2])]
    assert predict(TEXTS[0]) == predict([TEXTS[0]]) == moods[0]
    assert predict([[text] for text in TEXTS[:2]]) == moods
    (pair,) = [scores(result) for result in golden_engine.similarity([(TEXTS[0], TEXTS[1])])]
    assert predict(TEXTS[:2]) == pair and predict([TEXTS[:2]]) == [pair]
    (result,) = golden_engine.sentiment(TEXTS[:1])
    assert sorted(each["score"] for each in predict(TEXTS[0], raw_scores=True)) == sorted(result.logits[0])
    for refused in ([["a"], ["b", "c"]], [], ["a", "b", "c"], [[]], None):
        assert_problem(service.post("/predict", json={"inputs": refused}), 422)


def test_tei_info(service: httpx2.Client, golden_engine: wenmo.Engine) -> None:
    info = golden_engine.model_info("embedding")
    answer = service.get("/info").json()
    assert (answer["model_id"], answer["max_input_length"]) == (info.name, info.max_length)


def test_the_reason_is_where_each_client_looks_for_it(service: httpx2.Client) -> None:
    for path in ("/v1/embeddings", "/v2/rerank"):
        body = assert_problem(service.post(path, json={}), 422)
        assert body.get("error", body)["message"] == body["detail"]


def test_all_of_them_want_the_token(service: httpx2.Client) -> None:
    bare = {"Authorization": ""}
    for path in ("/v1/embeddings", "/v2/rerank", "/embed", "/rerank", "/predict"):
        assert_problem(service.post(path, json={}, headers=bare), 401)
    for path in ("/v1/models", "/info"):
        assert_problem(service.get(path, headers=bare), 401)
