"""The page at /docs: every route and what it does, from the same schema as openapi.json.

It is plain HTML. FastAPI's interactive pages load scripts from another host: they would depend on that host, tell it
who reads them, and need a content security policy that allows foreign code.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{max-width:52rem;margin:3rem auto;padding:0 1rem;font:1rem/1.6 serif;color:#222;background:#faf8f3}"
    "code{font-family:monospace;overflow-wrap:anywhere}dt{margin-top:1.2rem;font-weight:bold}dd{margin:0 0 0 1.5rem}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#1c1b19}a{color:#e2a08f}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(schema: Mapping[str, Any]) -> str:
    """The HTML page that describes an OpenAPI `schema`."""
    base = "".join(server["url"] for server in schema.get("servers", [])[:1]).rstrip("/")
    routes = "".join(
        f"<dt><code>{method.upper()} {escape(base + path)}</code></dt>"
        f"<dd>{escape(operation.get('description') or operation.get('summary') or '')}</dd>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    info = schema["info"]
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}</p>"
        '<p>Bodies, limits, examples and errors are in <a href="openapi.json">openapi.json</a>, '
        "which any OpenAPI client can open.</p>"
        f"<dl>{routes}</dl></body></html>"
    )
