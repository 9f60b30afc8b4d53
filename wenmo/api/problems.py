"""Every way in which a REST call can fail, as RFC 9457 problem details (application/problem+json).

`PROBLEMS` is the one place that says which error of `wenmo.errors` is which HTTP status. The text comes in Chinese for
a client whose Accept-Language begins with zh, in English for any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from wenmo.errors import (
    BusyError,
    CheckpointError,
    DeviceError,
    DownloadError,
    ForwardError,
    InputError,
    Language,
    ModelNotFoundError,
    WenmoError,
)

_UNION_BRANCHES = {"list[str]", "str"}  # of `labels`: pydantic adds to the place which of its two readings failed
MAX_ERRORS_TOLD = 10  # of one body; a list of 256 wrong items needs no 256 sentences


class SafeJSONResponse(JSONResponse):
    """JSON in UTF-8 in which a lone surrogate leaves as it came in: as its escape, \\ud800."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", errors="backslashreplace")  # Python's escape of a surrogate is JSON's as well


class ProblemResponse(SafeJSONResponse):
    media_type = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class ProblemKind:
    """One sort of failure: its HTTP status, the last part of its type URI, and its title."""

    status: HTTPStatus
    name: str
    en: str
    zh: str


PROBLEMS: Mapping[type[WenmoError], ProblemKind] = {
    WenmoError: ProblemKind(status=HTTPStatus.INTERNAL_SERVER_ERROR, name="wenmo", en="The call failed", zh="调用失败"),
    InputError: ProblemKind(
        status=HTTPStatus.UNPROCESSABLE_ENTITY, name="input", en="The input cannot be worked on", zh="输入无法处理"
    ),
    # The models and the device are the server's choice: a client cannot mend these.
    CheckpointError: ProblemKind(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, name="checkpoint", en="The model cannot be used", zh="模型不可用"
    ),
    ModelNotFoundError: ProblemKind(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, name="model-not-found", en="There is no such model", zh="没有这个模型"
    ),
    DeviceError: ProblemKind(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, name="device", en="The device is not there", zh="设备不可用"
    ),
    # May pass by themselves.
    ForwardError: ProblemKind(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="forward", en="The model could not be run", zh="模型运行失败"
    ),
    BusyError: ProblemKind(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="busy", en="The service is too busy", zh="服务繁忙"
    ),
    DownloadError: ProblemKind(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="download", en="The model could not be fetched", zh="模型下载失败"
    ),
}

CLIENT_GONE = 499  # as nginx has it in its log; no status of the standard says it

RATE_LIMITED = ProblemKind(  # no error of the engine: the service's own rule
    status=HTTPStatus.TOO_MANY_REQUESTS, name="rate-limited", en="Too many calls", zh="调用过于频繁"
)

# What the routing and the validation found, in English and in Chinese, with the remedy.
_HTTP_TEXTS: Mapping[int, tuple[str, str]] = {
    400: ("The body cannot be parsed. Send JSON in UTF-8.", "请求体无法解析。请以 UTF-8 编码的 JSON 发送。"),
    404: (
        "There is nothing at this address. openapi.json lists the routes.",
        "没有这个地址。全部路由见 openapi.json。",
    ),
    405: ("This address does not take this method. See openapi.json.", "该地址不接受这种请求方法。见 openapi.json。"),
    413: ("The body is too large. Send fewer texts a call.", "请求体过大。请减少每次发送的文本。"),
}
_FIELD_TEXTS: Mapping[str, tuple[str, str]] = {
    "missing": ("This is required", "缺少此项"),
    "extra_forbidden": ("There is no such option", "没有这个选项"),
    "string_type": ("Should be a string", "应为字符串"),
    "bool_type": ("Should be true or false", "应为 true 或 false"),
    "list_type": ("Should be a list", "应为列表"),
    "tuple_type": ("Should be a list of two strings", "应为两个字符串的列表"),
    "too_short": ("Should have at least {min_length} items", "至少需要 {min_length} 项"),
    "int_type": ("Should be a whole number", "应为整数"),
    "greater_than_equal": ("Should be at least {ge}", "至少为 {ge}"),
    "less_than_equal": ("Should be at most {le}", "至多为 {le}"),
    "literal_error": ("Should be one of {expected}", "可选：{expected}"),
    "too_many_hypotheses": (
        "Should have at most {max_length} texts times labels, not {actual_length}",
        "文本数乘以标签数至多为 {max_length}，现在是 {actual_length}",
    ),
    "too_long": ("Should have at most {max_length} items", "至多 {max_length} 项"),
    "string_too_long": ("Should have at most {max_length} characters", "至多 {max_length} 个字符"),
    "string_unicode": ("The names of the fields should be Unicode text", "字段名应为 Unicode 文本"),
    "model_attributes_type": (
        "Should be a JSON object, sent with Content-Type: application/json",
        "应为 JSON 对象，并以 Content-Type: application/json 发送",
    ),
}


def language_of(request: Request) -> Language:
    """The language in which the client wants its messages."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def problem(
    request: Request,
    status: int,
    *,
    en: str,
    zh: str,
    kind: ProblemKind | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Problem details with the text in the client's language; without a `kind`, the type is RFC 9457's about:blank."""
    language = language_of(request)
    title = HTTPStatus(status).phrase if kind is None else kind.zh if language == "zh" else kind.en
    content: dict[str, Any] = {
        "type": "about:blank" if kind is None else f"urn:wenmo:problem:{kind.name}",
        "title": title,
        "status": status,
        "detail": zh if language == "zh" else en,
    }
    if errors:
        content["errors"] = list(errors)
    return ProblemResponse(content, status, headers={**(headers or {}), "Content-Language": language})


def too_large(request: Request) -> ProblemResponse:
    """The answer to a body of more bytes than the service takes."""
    en, zh = _HTTP_TEXTS[413]
    return problem(request, 413, en=en, zh=zh)


def not_ready(request: Request, tasks: Sequence[str], error: Exception | None) -> ProblemResponse:
    """The answer while the models of `tasks` are not in memory, `error` being why the last attempt failed."""
    en, zh = "", ""
    if isinstance(error, WenmoError):
        en, zh = f" The last attempt failed: {error.text('en')}", f"上次载入失败：{error.text('zh')}"
    elif error is not None:
        en, zh = " The last attempt failed; the log holds the cause.", "上次载入失败，原因见日志。"
    return problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        en=f"Models are being loaded: {', '.join(tasks)}.{en}",
        zh=f"模型正在载入：{'、'.join(tasks)}。{zh}",
        headers={"Retry-After": "1"},
    )


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details."""
    app.add_exception_handler(WenmoError, _wenmo_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(CancelledError, _client_gone)
    app.add_exception_handler(Exception, _unexpected)


def _wenmo_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, WenmoError)
    kind = next(PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS)
    headers = {"Retry-After": str(ceil(error.retry_after_s))} if isinstance(error, BusyError) else None
    return problem(request, kind.status, en=error.text("en"), zh=error.text("zh"), kind=kind, headers=headers)


def _validation_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        en, zh = _HTTP_TEXTS[HTTPStatus.BAD_REQUEST]
        return problem(request, HTTPStatus.BAD_REQUEST, en=en, zh=zh)
    told = [(_pointer(item["loc"]), *_field_texts(item)) for item in found[:MAX_ERRORS_TOLD]]
    sentence_en = "; ".join(f"{pointer}: {en}" for pointer, en, _ in told)
    sentence_zh = "；".join(f"{pointer}：{zh}" for pointer, _, zh in told)
    chinese = language_of(request) == "zh"
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        en=f"The body does not fit this route: {sentence_en}. Its schema is in openapi.json.",
        zh=f"请求体不符合要求：{sentence_zh}。格式见 openapi.json。",
        errors=[{"pointer": pointer, "detail": zh if chinese else en} for pointer, en, zh in told],
    )


def _pointer(place: Sequence[str | int]) -> str:
    """Where in the body, as a JSON pointer in a URI fragment; `place` begins with "body"."""
    return "#" + "".join(f"/{part}" for part in place[1:] if part not in _UNION_BRANCHES)


def _field_texts(item: Mapping[str, Any]) -> tuple[str, str]:
    if item["type"] not in _FIELD_TEXTS:
        return item["msg"], item["msg"]
    en, zh = _FIELD_TEXTS[item["type"]]
    numbers = item.get("ctx") or {}
    return en.format_map(numbers), zh.format_map(numbers)


def _http_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    own = str(error.detail)
    en, zh = _HTTP_TEXTS.get(error.status_code, (own, own))
    return problem(request, error.status_code, en=en, zh=zh, headers=error.headers)


def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)  # read by nobody, but in the log and in the metrics


def _unexpected(request: Request, error: Exception) -> ProblemResponse:
    # The traceback goes to the server's log, not to the client.
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        en="The server failed on this call, which is a bug; its log holds the cause.",
        zh="服务器处理此请求时出错，这是程序缺陷；原因见服务器日志。",
    )
