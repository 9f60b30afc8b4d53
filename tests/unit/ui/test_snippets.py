"""That the calls shown on the Service page work as they stand: sent to the real routes, on golden weights."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wenmo
from tests.serving import serving_here
from wenmo.api.routes import create_api
from wenmo.ui.service import snippets

TOKEN = "0123456789abcdef"


# What stands in the answer of a route that does not answer with "results".
_ANSWERS = {
    "/api/v1/embeddings": "'embedding'",
    "/api/embed": "[[",
    "/api/rerank": "'score'",
    "/api/predict": "'label'",
    "/analyze": "'confidence'",
}


@pytest.fixture(scope="module")
def address(golden_engine: wenmo.Engine) -> Iterator[str]:
    """The routes as `serve` mounts them, on a free port, with a token."""
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    api = create_api(lambda: golden_engine, token=TOKEN)
    app = Starlette(routes=[Mount("/api", api), Route("/analyze", api)])
    with serving_here(app) as client:
        yield str(client.base_url).rstrip("/")


@pytest.mark.parametrize("route", snippets.BODIES)
def test_a_call_works_as_shown(address: str, route: str, tmp_path: Path) -> None:
    """In a process of its own, with the token from the environment; the body that curl sends is the same."""
    program = tmp_path / "call.py"
    program.write_text(snippets.python(address, route, token=True), encoding="utf-8")
    environment = {**os.environ, "WENMO_API_TOKEN": TOKEN, "NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _ANSWERS.get(route, "results") in done.stdout
    words = shlex.split(snippets.curl(address, route, token=True).replace("\\\n", ""))
    assert words[2] == address + route
    assert words[words.index("Authorization: Bearer $WENMO_API_TOKEN") - 1] == "-H"
    assert json.loads(words[words.index("-d") + 1]) == snippets.BODIES[route]


def test_no_token_where_none_is_wanted() -> None:
    for shown in (
        snippets.curl("http://a", "/analyze", token=False),
        snippets.python("http://a", "/analyze", token=False),
    ):
        assert "Authorization" not in shown and "http://a/analyze" in shown


def test_every_route_that_computes_is_shown(golden_engine: wenmo.Engine) -> None:
    from starlette.testclient import TestClient

    with TestClient(create_api(lambda: golden_engine)) as client:
        paths = client.get("/openapi.json").json()["paths"]
    posts = {path for path, methods in paths.items() if "post" in methods}
    assert {route.removeprefix("/api") for route in snippets.BODIES} == posts


@pytest.mark.parametrize(
    ("page", "base"),
    [
        ("http://localhost:8501/status", "http://localhost:8501"),
        ("https://wenmo.example/lab/status/", "https://wenmo.example/lab"),
        (None, "http://127.0.0.1:8501"),
        ("javascript:alert(1)", "http://127.0.0.1:8501"),
    ],
)
def test_the_address_is_the_visitors(page: str | None, base: str) -> None:
    assert snippets.base_address(page) == base


def test_an_address_cannot_leave_the_command() -> None:
    shown = snippets.curl("http://x/$(touch a)'", "/analyze", token=False)
    assert shlex.split(shown.replace("\\\n", ""))[2] == "http://x/$(touch a)'/analyze"
