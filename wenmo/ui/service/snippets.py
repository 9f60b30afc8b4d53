"""Snippets that call the REST routes, in curl and in Python. The tests run them unchanged."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

TOKEN_VARIABLE = "WENMO_API_TOKEN"  # noqa: S105 - a name, no token
BODIES: Mapping[str, Any] = {
    "/api/v1/similarity": {"pairs": [["怎么开发票", "发票在哪里开"], ["今晚有雨", "这支毛笔很好写"]]},
    "/api/v1/rerank": {"query": "怎么开发票", "documents": ["营业时间是几点", "如何申请电子发票"], "top_n": 1},
    "/api/v1/sentiment": {"texts": ["墨色温润，包装也用心", "纸太薄了，一写就透"]},
    "/api/v1/classify": {"texts": ["包裹三天了还没有动静"]},
    "/api/v1/zero-shot": {
        "texts": ["包裹三天了还没有动静"],
        "labels": ["物流", "质量", "价格"],
        "template": "这句话说的是{}",
    },
    "/api/v1/embed": {"texts": ["墨色温润"]},
    "/api/v1/embeddings": {"input": ["墨色温润"], "model": "wenmo"},  # as OpenAI's
    "/api/v2/rerank": {"query": "怎么开发票", "documents": ["营业时间是几点", "如何申请电子发票"]},  # as Cohere's
    "/api/embed": {"inputs": ["墨色温润"]},  # this and the next two as TEI's
    "/api/rerank": {"query": "怎么开发票", "texts": ["营业时间是几点", "如何申请电子发票"]},
    "/api/predict": {"inputs": [["墨色温润"], ["纸太薄了"]]},
    "/analyze": {"text": "墨色温润，包装也用心"},
}


def base_address(page_url: str | None) -> str:
    """The address of the service: `page_url` without its last part, or the default of `wenmo serve` if it is no URL."""
    parts = urlsplit(page_url or "")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return "http://127.0.0.1:8501"
    folder = parts.path.rstrip("/").rpartition("/")[0]
    return f"{parts.scheme}://{parts.netloc}{folder}"


def curl(base: str, route: str, *, token: bool) -> str:
    """A call for a POSIX shell. With `token`, it reads the token from the environment."""
    lines = [f"curl -s {shlex.quote(base + route)}", "  -H 'Content-Type: application/json'"]
    if token:
        lines.append(f'  -H "Authorization: Bearer ${TOKEN_VARIABLE}"')
    lines.append(f"  -d {shlex.quote(json.dumps(BODIES[route], ensure_ascii=False))}")
    return " \\\n".join(lines)


def python(base: str, route: str, *, token: bool) -> str:
    """The same call in Python, with requests."""
    head = "import os\n\nimport requests\n" if token else "import requests\n"
    headers = f'\n    headers={{"Authorization": "Bearer " + os.environ["{TOKEN_VARIABLE}"]}},' if token else ""
    body = json.dumps(BODIES[route], ensure_ascii=False)
    return (
        f"{head}\nanswer = requests.post(\n    {json.dumps(base + route)},\n    json={body},{headers}\n"
        "    timeout=30,\n)\nanswer.raise_for_status()\nprint(answer.json())"
    )
