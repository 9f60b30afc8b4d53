"""The REST routes: JSON in, one engine call, JSON out.

`wenmo.server` mounts the same service twice: under /api with all its routes, and at /analyze with that one alone.
Routes that compute are plain functions, which FastAPI runs in threads, so that a forward never blocks the event loop,
which serves the app's pages, too.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import Body, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from wenmo.api import docs, problems
from wenmo.api.compatible import add_compatible_routes, ranked
from wenmo.api.disconnect import CancelOnDisconnect
from wenmo.api.error_handlers import install_error_handlers
from wenmo.api.guard import REQUEST_ID, Guard
from wenmo.api.metrics import CONTENT_TYPE, Metrics
from wenmo.api.problems import SafeJSONResponse
from wenmo.api.schemas import (
    ANALYZE_BODY,
    MAX_ANALYZE_CHARACTERS,
    MAX_BODY_BYTES,
    AnalyzeResponse,
    EmbedResponse,
    Problem,
    RerankRequest,
    RerankResponse,
    TextsRequest,
    request_model,
    response_model,
)
from wenmo.errors import WenmoError
from wenmo.files import check_temporary_folder
from wenmo.settings import CALLS_AT_ONCE
from wenmo.tasks.spec import TaskSpec
from wenmo.tasks.table import row_tasks

if TYPE_CHECKING:
    from wenmo import Engine
    from wenmo.api.preload import Preload
    from wenmo.types import TaskName

log = logging.getLogger(__name__)

GetEngine = Callable[[], "Engine"]

_ERRORS: dict[int | str, dict[str, Any]] = {  # as OpenAPI describes them
    status: {
        "description": description,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status, description in (
        (400, "The body is not JSON"),
        (401, "The service wants a token, and the call brought none or a wrong one"),
        (413, "Too much text in one call"),
        (422, "The body or the input does not fit"),
        (429, "This client has called too often (see Retry-After)"),
        (500, "The model or the device of the server cannot be used"),
        (
            503,
            "Too busy (see Retry-After), or the model could not be fetched, or not be run for want of memory",
        ),
    )
}


def create_api(
    get_engine: GetEngine,
    *,
    token: str | None = None,
    calls_at_once: int = CALLS_AT_ONCE,
    requests_per_minute: int | None = None,
    cors_origins: Sequence[str] = (),
    preload: Preload | None = None,
    metrics: Metrics | None = None,
    indexes: Sequence[Path] = (),
) -> ASGIApp:
    """The REST service on the engine that `get_engine` returns; it is called in every route, so it must be cheap.

    Every error is answered with problem details (`problems.py`). `token`, `calls_at_once` and `requests_per_minute`
    decide which calls are let in (`guard.py`). Browsers may call from pages of `cors_origins` and of no other site. The
    service is ready when `preload` has loaded its models. `metrics` counts the calls; None makes one for this service.
    `indexes` are folders of indexes that MCP's search has, where that is installed.
    """
    metrics = metrics or Metrics(get_engine)
    app = FastAPI(
        title="wenmo 文墨共鸣",
        summary="Similarity, sentiment and zero-shot classification of Chinese text with StructBERT.",
        version="1",
        docs_url=None,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
        redirect_slashes=False,  # behind a proxy the redirect may lose scheme and port; the guard drops the slash
    )
    install_error_handlers(app)
    _add_health_and_metrics(app, get_engine, preload, metrics)
    _add_docs(app)
    for spec in row_tasks():
        _add_task(app, spec, get_engine)
    _add_rerank(app, get_engine)
    _add_embed(app, get_engine)
    _add_analyze(app, get_engine)
    add_compatible_routes(app, get_engine, errors=_ERRORS)
    if importlib.util.find_spec("mcp") is not None:  # the extra
        from wenmo.api.mcp import McpOverHttp, make_server

        app.router.routes.append(Route("/mcp", McpOverHttp(make_server(get_engine, indexes))))
    guarded = Guard(
        CancelOnDisconnect(app),
        token=token,
        calls_at_once=calls_at_once,
        requests_per_minute=requests_per_minute,
        observe=metrics.observe,
    )
    if not cors_origins:
        return guarded
    # Outermost, so that a browser can read refusals, too. Without credentials: a token travels in its own header.
    return CORSMiddleware(
        guarded,
        allow_origins=cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type", REQUEST_ID),
        expose_headers=(REQUEST_ID, "Retry-After"),
    )


def _add_health_and_metrics(app: FastAPI, get_engine: GetEngine, preload: Preload | None, metrics: Metrics) -> None:
    threads = CapacityLimiter(2)  # of their own: monitoring needs an answer even when calls occupy all other threads

    @app.head("/health", include_in_schema=False)  # what load balancers and `wget --spider` send
    @app.head("/health/live", include_in_schema=False)
    @app.get("/health")
    @app.get("/health/live")
    async def health() -> dict[str, str]:
        """Whether the service answers; loads no model."""
        return {"status": "ok"}

    @app.head("/health/ready", include_in_schema=False)
    @app.get("/health/ready", responses={503: _ERRORS[503]})
    async def ready(request: Request) -> Response:
        """Whether calls can be answered: 503 while models load or the engine cannot be had. Names what is loaded."""
        if preload is not None and preload.missing:
            return problems.not_ready(request, preload.missing, failed=preload.error is not None)
        try:
            engine = await to_thread.run_sync(get_engine, limiter=threads)
            await to_thread.run_sync(check_temporary_folder, limiter=threads)
        except WenmoError:
            log.exception("the engine or a temporary file cannot be had")
            return problems.not_ready(request, [], failed=True)
        return SafeJSONResponse({"status": "ok", "loaded": list(engine.loaded_tasks())})

    @app.head("/metrics", include_in_schema=False)
    @app.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Calls, durations, what waits, cache and memory, for Prometheus."""
        return Response(await to_thread.run_sync(metrics.text, limiter=threads), media_type=CONTENT_TYPE)


def _add_docs(app: FastAPI) -> None:
    @app.head("/docs", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def documentation(request: Request) -> HTMLResponse:
        servers = [{"url": request.scope.get("root_path", "")}]
        page = docs.page({**app.openapi(), "servers": servers})
        return HTMLResponse(page, headers={"Content-Security-Policy": docs.CONTENT_SECURITY_POLICY})


def _add_task(app: FastAPI, spec: TaskSpec, get_engine: GetEngine) -> None:
    """The route of a task that has a result for each input."""

    def answer(body: Any) -> Response:
        engine = get_engine()
        options = body.model_dump()
        inputs = options.pop("pairs" if spec.inputs == "pair" else "texts")
        results = [asdict(result) for result in engine.ask(spec.name, inputs, **options)]
        for result in results:
            if not result["unknown"]:
                del result["unknown"]  # told where it matters
            del result["logits"]  # for parity checks; `python -m wenmo run --logits` writes them
        return _response(engine, spec.name, results)

    answer.__annotations__["body"] = request_model(spec)
    answer.__doc__ = spec.summary
    app.post(f"/v1/{spec.slug}", name=spec.name, response_model=response_model(spec), responses=_ERRORS)(answer)


def _add_rerank(app: FastAPI, get_engine: GetEngine) -> None:
    """Similarity in the shape of common reranking services."""

    @app.post("/v1/rerank", response_model=RerankResponse, response_model_exclude_none=True, responses=_ERRORS)
    def rerank(body: RerankRequest) -> Response:
        """The documents that say what the query says, best first (cross-encoder)."""
        engine = get_engine()
        results: list[dict[str, Any]] = [
            {"index": index, "relevance_score": result.similarity, "truncated": result.truncated}
            for index, result in ranked(engine, body.query, body.documents)[: body.top_n]
        ]
        if body.return_documents:
            for result in results:
                result["document"] = {"text": body.documents[result["index"]]}
        return _response(engine, "similarity", results)


def _add_embed(app: FastAPI, get_engine: GetEngine) -> None:
    @app.post("/v1/embed", response_model=EmbedResponse, responses=_ERRORS)
    def embed(body: TextsRequest) -> Response:
        """The mean-pooled vector of each text, for search; weaker and cheaper than /v1/similarity."""
        engine = get_engine()
        vectors = engine.embed(body.texts)  # (N, H)
        return _response(engine, "embedding", [{"embedding": vector} for vector in vectors.tolist()])


def _add_analyze(app: FastAPI, get_engine: GetEngine) -> None:
    """The one route whose contract is older than this service: 400 without a text, 413 for a long one.

    Its body is not a schema, because a body that does not fit a schema is answered with 422.
    """

    @app.post(
        "/analyze",
        response_model=AnalyzeResponse,
        responses={**_ERRORS, 400: {**_ERRORS[400], "description": "There is no text, or the body is not JSON"}},
    )
    def analyze(
        request: Request,
        body: Annotated[Any, Body(examples=[{"text": "墨色温润，包装也用心"}], json_schema_extra=ANALYZE_BODY)] = None,
    ) -> Response:
        """Sentiment of one text of at most 512 characters."""
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            return problems.problem(
                request,
                400,
                en='The body has no text. Send {"text": "..."} with Content-Type: application/json.',
                zh='请求体缺少 text 字段。请以 Content-Type: application/json 发送 {"text": "……"}。',
            )
        if len(text) > MAX_ANALYZE_CHARACTERS:
            return problems.problem(
                request,
                413,
                en=f"The text has {len(text)} characters; /analyze takes {MAX_ANALYZE_CHARACTERS}. "
                "Shorten it, or use /api/v1/sentiment, which cuts long texts and says so.",
                zh=f"文本有 {len(text)} 个字符，/analyze 至多 {MAX_ANALYZE_CHARACTERS} 个。"
                "请缩短，或使用会截断长文并注明的 /api/v1/sentiment。",
            )
        positive = get_engine().sentiment([text])[0].positive
        label, confidence = ("Positive", positive) if positive >= 0.5 else ("Negative", 1 - positive)
        return SafeJSONResponse({"label": label, "confidence": confidence, "text": text})


def _response(engine: Engine, task: TaskName, results: list[dict[str, Any]]) -> SafeJSONResponse:
    # A finished response rather than a model: FastAPI would validate each float again, and cannot encode a surrogate.
    info = engine.model_info(task)
    return SafeJSONResponse({"results": results, "model": info.name, "precision": info.precision.value})
