"""The HTML document that every address of the app answers with: Streamlit's own, in the visitor's language.

Streamlit calls every document "Streamlit" and English until its script has run. That script looks for its server below
the page's own address first, which makes two requests for nothing and two errors in the console; here it is told where
the server is. `streamlit run app.py` answers with Streamlit's document as it is.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from wenmo.errors import Language
from wenmo.ui.shell.document import LANGUAGE_TAGS
from wenmo.ui.shell.menu import ADDRESSES
from wenmo.ui.text import LANGUAGE_KEY, TEXTS

_DOCUMENT = Path(streamlit.__file__).parent / "static" / "index.html"
# Relative, as the document's own assets are, so that it also holds below a prefix.
_SERVER = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }</script>'
_NO_SCRIPT = re.compile(r"<noscript>.*?</noscript>", re.DOTALL)


def routes() -> list[Route]:
    """A route for each page."""
    return [Route("/", _answer), *(Route(f"/{address}", _answer) for address in ADDRESSES.values())]


def _answer(request: Request) -> Response:
    language: Language = "en" if request.query_params.get(LANGUAGE_KEY) == "en" else "zh"
    return HTMLResponse(document(language), headers={"Cache-Control": "no-cache"})


@cache
def document(language: Language) -> str:
    """Streamlit's document with language, title and the server's address."""
    html = _DOCUMENT.read_text(encoding="utf-8")
    for old, new in (
        ('<html lang="en">', f'<html lang="{LANGUAGE_TAGS[language]}">'),
        ("<title>Streamlit</title>", f"<title>{getattr(TEXTS['app.name'], language)}</title>\n    {_SERVER}"),
    ):
        html = html.replace(old, new)
    return _NO_SCRIPT.sub(f"<noscript>{getattr(TEXTS['document.no_script'], language)}</noscript>", html)
