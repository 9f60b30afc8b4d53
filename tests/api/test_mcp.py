"""The tools over stdio and over HTTP, called by the protocol's own client."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

import wenmo
from tests.serving import ENVIRONMENT, assert_problem, serving_here
from wenmo import InputError
from wenmo.api.mcp import make_server
from wenmo.api.routes import create_api

TOKEN = "a-token-of-enough-length"
FAQ = ["忘记密码怎么办", "怎么下载发票", "营业时间是几点"]


@pytest.fixture(scope="module")
def index(golden_engine: wenmo.Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "faq"
    golden_engine.build_index(FAQ).save(folder)
    return folder


async def use(client: Client, engine: wenmo.Engine) -> None:
    """Each tool answers as the engine does, and an error is one."""

    async def call(tool: str, **arguments: Any) -> Any:
        answer = await client.call_tool(tool, arguments)
        assert not answer.is_error, answer.content
        assert answer.structured_content is not None
        return answer.structured_content["result"]

    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"similarity", "sentiment", "classify", "search"}
    assert "faq (3 texts)" in (tools["search"].description or "")
    assert tools["classify"].input_schema["properties"]["labels"]["items"] == {"type": "string"}

    pairs = [("雨后的院子", "院子里下过雨"), ("", "墨")]
    found = await call("similarity", pairs=pairs)
    expected = [result.similarity for result in engine.similarity(pairs)]
    assert [each["similarity"] for each in found] == pytest.approx(expected, abs=1e-5)
    (mood,) = await call("sentiment", texts=["墨色温润"])
    assert mood["positive"] == pytest.approx(engine.sentiment(["墨色温润"])[0].positive, abs=1e-5)
    (label,) = await call("classify", texts=["今晚有雨"], labels=["天气", "财经"])
    (result,) = engine.zero_shot(["今晚有雨"], labels=["天气", "财经"])
    assert label["label"] == result.label and label["scores"] == pytest.approx(dict(result.scores), abs=1e-5)
    (hits,) = engine.search(["发票"], FAQ, top_k=2)
    for where in ({"index": "faq"}, {"texts": FAQ}):
        found = await call("search", query="发票", top_k=2, **where)
        assert [(each["row"], each["text"]) for each in found] == [(hit.index, FAQ[hit.index]) for hit in hits]

    for tool, arguments, says in (
        ("search", {"query": "发票", "index": "none"}, "no index"),
        ("search", {"query": "发票"}, "either index or texts"),
        ("classify", {"texts": ["墨"], "labels": [" "]}, "label"),
        ("sentiment", {"texts": []}, "texts"),
        ("sentiment", {"texts": "墨"}, "texts"),
    ):
        answer = await client.call_tool(tool, arguments)
        assert answer.is_error and says in str(answer.content)


def test_over_stdio(golden_engine: wenmo.Engine, index: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "wenmo", "mcp", "--index", str(index)],
        env=dict(ENVIRONMENT),
    )

    async def run() -> None:
        async with Client(stdio_client(server)) as client:
            await use(client, golden_engine)

    anyio.run(run)


def test_over_http_beside_rest(golden_engine: wenmo.Engine, index: Path) -> None:
    api = create_api(lambda: golden_engine, token=TOKEN, indexes=[index])
    with serving_here(api) as service:
        address = f"{str(service.base_url).rstrip('/')}/mcp"
        assert_problem(service.post("/mcp", json={}), 401)

        async def run() -> None:
            async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as http:
                for _ in range(2):
                    async with Client(streamable_http_client(address, http_client=http)) as client:
                        await use(client, golden_engine)

        anyio.run(run)
        assert service.get("/health").json() == {"status": "ok"}


def test_indexes_that_cannot_be_served(golden_engine: wenmo.Engine, index: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no index"):
        make_server(lambda: golden_engine, [tmp_path])
    golden_engine.build_index(FAQ).save(tmp_path / "faq")
    with pytest.raises(InputError, match="same name"):
        make_server(lambda: golden_engine, [index, tmp_path / "faq"])


def test_logging_is_left_as_it_was(golden_engine: wenmo.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    make_server(lambda: golden_engine)
    assert root.handlers == [] and root.level == logging.WARNING
