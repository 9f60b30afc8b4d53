"""The app behind a real nginx with the block of docs/deployment.md, as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import ROOT
from tests.serving import assert_problem, connect, run_page, serving
from tests.waiting import free_port, until
from wenmo.api.schemas import MAX_BODY_BYTES

BLOCK = re.search(r"```nginx\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8"), re.DOTALL)

CONFIGURATION = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
{block}
    }}
}}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of nginx, behind which the app runs. It follows no redirect."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        if os.environ.get("WENMO_REQUIRE_NGINX") == "1":
            pytest.fail("no nginx here, and WENMO_REQUIRE_NGINX=1")
        pytest.skip("no nginx here: install it")
    folder = tmp_path_factory.mktemp("nginx")
    with serving(folder, environment={"FORWARDED_ALLOW_IPS": "127.0.0.1"}) as (app, _):
        port = free_port()
        assert BLOCK is not None and BLOCK[1].count("127.0.0.1:8501") == 1
        block = BLOCK[1].replace("127.0.0.1:8501", f"127.0.0.1:{app.base_url.port}")
        configuration = folder / "nginx.conf"
        user = "user root root;" if os.geteuid() == 0 else ""  # else its workers could not write to the folder
        text = CONFIGURATION.format(user=user, folder=folder, port=port, block=block)
        configuration.write_text(text, encoding="utf-8")
        with (folder / "nginx.log").open("wb") as log:
            process = subprocess.Popen([nginx, "-e", "stderr", "-c", configuration], stderr=log)
        try:
            with connect(f"http://127.0.0.1:{port}") as through:
                until(lambda: process.poll() is not None or _answers(through))
                assert process.poll() is None, (folder / "nginx.log").read_text(encoding="utf-8")
                yield through
        finally:
            process.terminate()
            process.wait()


def _answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/api/health/live").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_file_of_the_size_that_the_page_promises_reaches_the_app(client: httpx2.Client) -> None:
    """The app refuses it, as no session belongs to the address; nginx does not."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    content = bytes(config["server"]["maxUploadSize"] << 20)
    answer = client.put("/_stcore/upload_file/no-session/no-file", files={"file": ("in.csv", content)})
    assert answer.status_code in (400, 403) and "nginx" not in answer.text


def test_the_limit_of_rest_is_the_services_own(client: httpx2.Client) -> None:
    body = {"texts": ["长" * (MAX_BODY_BYTES // 3)]}
    assert_problem(client.post("/api/v1/sentiment", json=body), 413)


def test_pages_come_over_their_websocket(client: httpx2.Client) -> None:
    assert run_page(client)


@pytest.mark.parametrize("path", ["/api/health/live", "/api/health/live/", "/api/health/ready"])
def test_health_is_told_by_head(client: httpx2.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_no_address_is_lost_on_the_way(client: httpx2.Client) -> None:
    """A slash at the end is answered; where there is a redirect, it keeps host and port."""
    for path in ("/api/v1/sentiment", "/api/v1/sentiment/"):
        assert client.post(path, json={"texts": ["墨"]}).json()["results"][0]["label"]
    for path in ("/analyze", "/analyze/"):
        assert client.post(path, json={"text": "墨"}).json()["text"] == "墨"
    for path in ("/api", "/api/", "/batch/", "/no/such/place/"):
        answer = client.get(path)
        location = answer.headers.get("Location", "")
        port = f"{client.base_url.host}:{client.base_url.port}"
        assert not location.startswith("http") or location.startswith(f"http://{port}/"), (path, location)
