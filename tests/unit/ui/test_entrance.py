"""The document that the server answers with before any script has run."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.testclient import TestClient

from wenmo.ui.shell import entrance
from wenmo.ui.shell.menu import ADDRESSES, GROUPS


def test_every_page_has_its_document_in_the_visitors_language() -> None:
    client = TestClient(Starlette(routes=entrance.routes()))
    for address in ("", *ADDRESSES.values()):
        chinese, english = client.get(f"/{address}").text, client.get(f"/{address}?lang=en").text
        assert '<html lang="zh-CN">' in chinese and "<title>文墨共鸣</title>" in chinese
        assert '<html lang="en">' in english and "<title>Wenmo</title>" in english
        for html in (chinese, english):
            assert html.index("BACKEND_BASE_URL") < html.index('<script type="module"')
            assert "Streamlit" not in html.split("<head>")[1].split("</head>")[0].split("<!--")[0]
            assert html.count("<noscript>") == 1 and "agent" not in html.split("<noscript>")[1]


def test_the_menu_leads_to_every_page() -> None:
    assert {name for names in GROUPS.values() for name in names} == ADDRESSES.keys()
