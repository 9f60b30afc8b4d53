"""The engine as tools of the Model Context Protocol: over stdio (`wenmo mcp`) and over HTTP beside REST, at /mcp.

A tool answers with typed results, and an error with its text, which the calling model reads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from anyio import to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import BaseModel, Field

from wenmo.errors import InputError, WenmoError
from wenmo.search import Index
from wenmo.version import __version__

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from wenmo import Engine

T = TypeVar("T")

MAX_TEXTS = 256  # in one call, as over REST

_INSTRUCTIONS = (
    "Chinese text: whether sentences say the same, whether a text is positive, which of given labels fits, and which "
    "texts of a list or of an index say what a query says."
)

Texts = Annotated[list[str], Field(min_length=1, max_length=MAX_TEXTS)]


class Similarity(BaseModel):
    similarity: Annotated[float, Field(description="Probability that both sentences say the same.")]
    truncated: Annotated[bool, Field(description="Whether the model did not see all of the text.")]


class Sentiment(BaseModel):
    positive: Annotated[float, Field(description="Probability that the text is positive.")]
    truncated: Annotated[bool, Field(description="Whether the model did not see all of the text.")]


class Classification(BaseModel):
    label: Annotated[str, Field(description="The label that fits best.")]
    scores: Annotated[dict[str, float], Field(description="Probability of each label, best first.")]


class Found(BaseModel):
    text: str
    row: Annotated[int, Field(description="Its place in the list or the index, from 0.")]
    similarity: Annotated[float | None, Field(description="Probability that it says the same as the query.")]
    cosine: Annotated[float, Field(description="Of the vectors, by which the candidates were chosen.")]


def make_server(get_engine: Callable[[], Engine], indexes: Sequence[Path] = ()) -> MCPServer[Any]:
    """A server with all tools. `indexes` are folders of `Index`, each known by the name of its folder.

    Raises InputError for a folder that holds no index, and for two of the same name.
    """
    opened: Mapping[str, Index] = {path.resolve().name: Index.open(path) for path in indexes}
    if len(opened) < len(indexes):
        raise InputError(
            "Two indexes have folders of the same name. Rename one.", "有两个索引的文件夹同名。请重命名其一。"
        )
    # MCPServer sets up logging for the whole process: each call of the REST service would be logged a second time, by a
    # handler that takes milliseconds.
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    server: MCPServer[Any] = MCPServer("wenmo", title="文墨共鸣", instructions=_INSTRUCTIONS, version=__version__)
    root.handlers[:] = handlers
    root.setLevel(level)

    async def similarity(
        pairs: Annotated[list[tuple[str, str]], Field(min_length=1, max_length=MAX_TEXTS)],
    ) -> list[Similarity]:
        """Whether the two Chinese sentences of each pair say the same."""
        results = await _in_thread(lambda: get_engine().similarity(pairs))
        return [Similarity(similarity=each.similarity, truncated=each.truncated) for each in results]

    async def sentiment(texts: Texts) -> list[Sentiment]:
        """Whether each Chinese text is positive or negative."""
        results = await _in_thread(lambda: get_engine().sentiment(texts))
        return [Sentiment(positive=each.positive, truncated=each.truncated) for each in results]

    async def classify(
        texts: Texts,
        labels: Annotated[list[str], Field(min_length=1, max_length=100)],
        multi_label: Annotated[bool, Field(description="Judge each label alone: several may be true.")] = False,
    ) -> list[Classification]:
        """Which of the labels, which are free words, fits each Chinese text (zero-shot)."""
        results = await _in_thread(lambda: get_engine().zero_shot(texts, labels=labels, multi_label=multi_label))
        return [Classification(label=each.label, scores=dict(each.scores)) for each in results]

    async def search(
        query: str,
        index: Annotated[str | None, Field(description="The name of an index of the server.")] = None,
        texts: Annotated[
            list[str] | None, Field(max_length=MAX_TEXTS, description="The texts to search, in place of an index.")
        ] = None,
        top_k: Annotated[int, Field(ge=1, le=50)] = 5,
    ) -> list[Found]:
        if (index is None) == (texts is None):
            raise ToolError("Give either index or texts.")
        if index is not None and index not in opened:
            raise ToolError(f"There is no index {index!r}. The server has: {', '.join(opened) or 'none'}.")
        corpus: Sequence[str] | Index = opened[index] if index is not None else texts or []
        (hits,) = await _in_thread(lambda: get_engine().search([query], corpus, top_k=top_k))
        known = corpus.texts if isinstance(corpus, Index) else corpus
        return [
            Found(text=known[hit.index], row=hit.index, similarity=hit.similarity, cosine=hit.cosine) for hit in hits
        ]

    for tool in (similarity, sentiment, classify):
        server.add_tool(tool)
    server.add_tool(search, description=_search_description(opened))
    return server


def _search_description(indexes: Mapping[str, Index]) -> str:
    known = ", ".join(f"{name} ({len(index):,} texts)" for name, index in indexes.items())
    return f"The texts that say what a Chinese query says, best first. Indexes of this server: {known or 'none'}."


async def _in_thread(work: Callable[[], T]) -> T:
    """A forward must not hold up the event loop. What is wrong with an input is told to the caller."""
    try:
        return await to_thread.run_sync(work)
    except WenmoError as error:
        raise ToolError(str(error)) from error


class McpOverHttp:
    """ASGI: streamable HTTP, each call for itself, so that it works behind several processes.

    The protocol's manager needs a task of its own, which begins with the first call and ends with the event loop. Who
    may call is decided before, as for REST (`guard.py`).
    """

    def __init__(self, server: MCPServer[Any]) -> None:
        server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            # Like REST, it answers under whatever name a proxy has for it.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._manager = server.session_manager
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        await self._ready.wait()
        await self._manager.handle_request(scope, receive, send)

    async def _run(self) -> None:
        async with self._manager.run():
            self._ready.set()
            await asyncio.Event().wait()
