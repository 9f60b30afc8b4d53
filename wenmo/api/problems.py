"""The shape of every REST error: RFC 9457 problem details (application/problem+json).

`PROBLEM_TYPES` is the one place that says which error of `wenmo.errors` has which HTTP status. The text is Chinese for
a client whose Accept-Language begins with zh, and English for any other. `error_handlers.py` turns exceptions into
problem details.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

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


class SafeJSONResponse(JSONResponse):
    """JSON in UTF-8 that may hold a lone surrogate, which is sent as its escape: \\ud800."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", errors="backslashreplace")  # Python's escape of a surrogate is JSON's as well


class ProblemResponse(SafeJSONResponse):
    media_type = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class ProblemType:
    """A problem type of RFC 9457: its HTTP status, the last part of its type URI, and its title in both languages."""

    status: HTTPStatus
    name: str
    en: str
    zh: str


PROBLEM_TYPES: Mapping[type[WenmoError], ProblemType] = {
    WenmoError: ProblemType(status=HTTPStatus.INTERNAL_SERVER_ERROR, name="wenmo", en="The call failed", zh="调用失败"),
    InputError: ProblemType(
        status=HTTPStatus.UNPROCESSABLE_ENTITY, name="input", en="The input cannot be worked on", zh="输入无法处理"
    ),
    # The server chose the models and the device, so a client cannot correct these errors.
    CheckpointError: ProblemType(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, name="checkpoint", en="The model cannot be used", zh="模型不可用"
    ),
    ModelNotFoundError: ProblemType(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, name="model-not-found", en="There is no such model", zh="没有这个模型"
    ),
    DeviceError: ProblemType(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, name="device", en="The device is not there", zh="设备不可用"
    ),
    # These may pass by themselves.
    ForwardError: ProblemType(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="forward", en="The model could not be run", zh="模型运行失败"
    ),
    BusyError: ProblemType(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="busy", en="The service is too busy", zh="服务繁忙"
    ),
    DownloadError: ProblemType(
        status=HTTPStatus.SERVICE_UNAVAILABLE, name="download", en="The model could not be fetched", zh="模型下载失败"
    ),
}

RATE_LIMITED = ProblemType(  # raised by no error of the engine: the limit is the service's
    status=HTTPStatus.TOO_MANY_REQUESTS, name="rate-limited", en="Too many calls", zh="调用过于频繁"
)


# Where clients of other services look for the reason: members beside those of RFC 9457, by the end of the path.
_REASON_MEMBERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "/v1/embeddings": lambda reason: {"error": {"message": reason, "type": "invalid_request_error"}},
    "/v1/models": lambda reason: {"error": {"message": reason, "type": "invalid_request_error"}},
    "/v2/rerank": lambda reason: {"message": reason},
}


_STATUS_TEXTS: Mapping[int, tuple[str, str]] = {  # what is wrong and how to correct it, in English and in Chinese
    400: ("The body cannot be parsed. Send JSON in UTF-8.", "请求体无法解析。请以 UTF-8 编码的 JSON 发送。"),
    404: (
        "There is nothing at this address. openapi.json lists the routes.",
        "没有这个地址。全部路由见 openapi.json。",
    ),
    405: ("This address does not take this method. See openapi.json.", "该地址不接受这种请求方法。见 openapi.json。"),
    413: ("The body is too large. Send fewer texts a call.", "请求体过大。请减少每次发送的文本。"),
}


def language_of(request: Request) -> Language:
    """The language of the messages to this client."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def problem(
    request: Request,
    status: int,
    *,
    en: str,
    zh: str,
    problem_type: ProblemType | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """A response with problem details, in the client's language.

    `en` and `zh` say what is wrong and how to correct it. Without `problem_type` the type is RFC 9457's about:blank.
    `errors` names the fields of the body that do not fit.
    """
    language = language_of(request)
    if problem_type is None:
        title = HTTPStatus(status).phrase
    else:
        title = problem_type.zh if language == "zh" else problem_type.en
    content: dict[str, Any] = {
        "type": "about:blank" if problem_type is None else f"urn:wenmo:problem:{problem_type.name}",
        "title": title,
        "status": status,
        "detail": zh if language == "zh" else en,
    }
    if errors:
        content["errors"] = list(errors)
    path = request.url.path
    content |= next((made(content["detail"]) for end, made in _REASON_MEMBERS.items() if path.endswith(end)), {})
    return ProblemResponse(content, status, headers={**(headers or {}), "Content-Language": language})


def status_problem(
    request: Request, status: int, *, detail: str = "", headers: Mapping[str, str] | None = None
) -> ProblemResponse:
    """The response for a status that needs no explanation of its own; `detail` is for one without a text here."""
    en, zh = _STATUS_TEXTS.get(status, (detail, detail))
    return problem(request, status, en=en, zh=zh, headers=headers)


def not_ready(request: Request, tasks: Sequence[str], *, failed: bool) -> ProblemResponse:
    """The response while the models of `tasks` are not loaded, or there is no engine; `failed`: an attempt has failed.

    It does not say why: anybody may ask, and the reason may hold paths of the server. The log has it.
    """
    waiting_en = f"Models are being loaded: {', '.join(tasks)}." if tasks else ""
    waiting_zh = f"模型正在载入：{'、'.join(tasks)}。" if tasks else ""
    failed_en, failed_zh = (" The last attempt failed; the log holds the cause.", "上次载入失败，原因见日志。")
    return problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        en=(waiting_en + (failed_en if failed else "")).strip(),
        zh=waiting_zh + (failed_zh if failed else ""),
        headers={"Retry-After": "1"},
    )
