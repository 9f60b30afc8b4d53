"""Turns the exceptions of the routes into problem details (`problems.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from wenmo.api.problems import PROBLEM_TYPES, ProblemResponse, language_of, problem, status_problem
from wenmo.errors import BusyError, WenmoError

MAX_ERRORS_LISTED = 10  # of one body; a list of 256 wrong items needs no 256 sentences
CLIENT_GONE = 499  # nginx's code for it; no standard status says that the client has disconnected

_UNION_BRANCHES = {"list[str]", "str"}  # of `labels`: pydantic adds the failed branch to the error's location

_FIELD_TEXTS: Mapping[str, tuple[str, str]] = {  # what is wrong with a field, by pydantic's type of the error
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
    "token_ids": (
        "Should be texts, not token ids of another model (LangChain: check_embedding_ctx_length=False)",
        "应为文本，而不是其他模型的 词元编号（LangChain：check_embedding_ctx_length=False）",
    ),
    "string_unicode": ("The names of the fields should be Unicode text", "字段名应为 Unicode 文本"),
    "model_attributes_type": (
        "Should be a JSON object, sent with Content-Type: application/json",
        "应为 JSON 对象，并以 Content-Type: application/json 发送",
    ),
}


def install_error_handlers(app: FastAPI) -> None:
    """Make `app` respond to every exception with problem details."""
    app.add_exception_handler(WenmoError, _wenmo_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(CancelledError, _client_gone)
    app.add_exception_handler(Exception, _unexpected)


def _wenmo_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, WenmoError)
    problem_type = next(PROBLEM_TYPES[cls] for cls in type(error).__mro__ if cls in PROBLEM_TYPES)
    return problem(
        request,
        problem_type.status,
        en=error.text("en"),
        zh=error.text("zh"),
        problem_type=problem_type,
        headers={"Retry-After": str(ceil(error.retry_after_s))} if isinstance(error, BusyError) else None,
    )


def _validation_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return status_problem(request, HTTPStatus.BAD_REQUEST)
    listed = [(_pointer(item["loc"]), *_field_texts(item)) for item in errors[:MAX_ERRORS_LISTED]]
    sentence_en = "; ".join(f"{pointer}: {en}" for pointer, en, _ in listed)
    sentence_zh = "；".join(f"{pointer}：{zh}" for pointer, _, zh in listed)
    chinese = language_of(request) == "zh"
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        en=f"The body does not fit this route: {sentence_en}. Its schema is in openapi.json.",
        zh=f"请求体不符合要求：{sentence_zh}。格式见 openapi.json。",
        errors=[{"pointer": pointer, "detail": zh if chinese else en} for pointer, en, zh in listed],
    )


def _pointer(location: Sequence[str | int]) -> str:
    """The location of an error in the body, which begins with "body", as a JSON pointer in a URI fragment."""
    return "#" + "".join(f"/{part}" for part in location[1:] if part not in _UNION_BRANCHES)


def _field_texts(item: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with a field, in English and in Chinese; pydantic's own words where there are none of ours."""
    if item["type"] not in _FIELD_TEXTS:
        return item["msg"], item["msg"]
    en, zh = _FIELD_TEXTS[item["type"]]
    values = item.get("ctx") or {}
    return en.format_map(values), zh.format_map(values)


def _http_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    return status_problem(request, error.status_code, detail=str(error.detail), headers=error.headers)


def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)  # nobody reads it, but the log and the metrics count it


def _unexpected(request: Request, error: Exception) -> ProblemResponse:
    # The server's log has the traceback; the client does not get it.
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        en="The server failed on this call, which is a bug; its log holds the cause.",
        zh="服务器处理此请求时出错，这是程序缺陷；原因见服务器日志。",
    )
