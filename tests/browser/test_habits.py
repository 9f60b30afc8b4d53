"""Links, history, copying and downloading in a real browser; and axe over every page, in light and in dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from docs.screenshots import long_list, reviews
from tests.browser.conftest import settle
from wenmo import Engine
from wenmo.ui.text import TEXTS

FIRST, SECOND = "今天<img src=x onerror=alert(1)>真好", "天气不错"


def _ask(page: Page, address: str) -> None:
    page.goto(f"{address}/compare")
    page.get_by_label("第一句").fill(FIRST)
    page.get_by_label("第二句").fill(SECOND)
    page.get_by_label("第二句").press("Enter")
    expect(page.get_by_text("同义概率", exact=True).first).to_be_visible()
    settle(page)


def test_a_result_is_shared_by_its_address(address: str, browser: Browser, page: Page, golden_engine: Engine) -> None:
    _ask(page, address)
    expected = golden_engine.similarity([(FIRST, SECOND)])[0].similarity
    somebody = browser.new_page()
    somebody.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    somebody.goto(page.url)
    expect(somebody.get_by_text(f"{expected:.1%}", exact=True)).to_be_visible()
    assert somebody.locator("img[src='x']").count() == 0
    somebody.close()


def test_the_history_stays_in_the_browser_opens_again_and_is_cleared(
    address: str,
    page: Page,
    tmp_path: Path,
) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    _ask(page, address)
    page.goto(f"{address}/mood")
    page.get_by_text("历史 (1)").click()
    entry = page.get_by_role("button", name=FIRST)
    expect(entry).to_be_visible()  # the text itself, no HTML of it
    with page.expect_download() as download:
        page.get_by_role("button", name="导出").click()
    saved = tmp_path / "history.json"
    download.value.save_as(saved)
    (kept,) = json.loads(saved.read_text(encoding="utf-8"))
    assert kept["fields"] == {"pair_first": FIRST, "pair_second": SECOND}
    entry.click()
    expect(page.get_by_role("heading", name="句子相似度")).to_be_visible()
    expect(page.get_by_label("第一句")).to_have_value(FIRST)
    settle(page)
    page.get_by_role("button", name="清空").click()
    expect(entry).to_have_count(0)
    page.get_by_role("radio", name="English").click()  # a rerun does not bring it back
    expect(page.get_by_text("History", exact=True)).to_be_visible()
    settle(page)
    assert page.evaluate("localStorage.getItem('wenmo.history')") is None


def test_a_history_that_is_not_ours_says_so_and_is_mended_by_clearing(address: str, page: Page) -> None:
    unavailable = TEXTS["history.unavailable"].zh
    page.goto(f"{address}/mood")
    page.evaluate("localStorage.setItem('wenmo.history', '{')")
    page.reload()
    page.get_by_text("历史", exact=True).click()
    expect(page.get_by_text(unavailable)).to_be_visible()
    page.get_by_role("button", name="清空").click()
    expect(page.get_by_text(unavailable)).to_have_count(0)
    assert page.evaluate("localStorage.getItem('wenmo.history')") is None


def test_a_result_is_copied_and_downloaded(address: str, page: Page, tmp_path: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _ask(page, address)
    page.get_by_role("button", name="复制").click()
    expect(page.get_by_role("button", name="已复制")).to_be_visible()
    header, row = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert header.split("\t")[0] == "第一句" and row.split("\t")[:2] == [FIRST, SECOND]
    with page.expect_download() as download:
        page.get_by_role("button", name="下载 CSV").click()
    saved = tmp_path / "pair.csv"
    download.value.save_as(saved)
    assert SECOND in saved.read_text(encoding="utf-8-sig")


# Addresses, and what is done there: an example's name, or more.
EXAMPLES: tuple[tuple[str, str | Callable[[Page], None] | None], ...] = (
    ("/", "换个说法"),
    ("/compare", "同题异问"),
    ("/compare?mode=ranking", "找回密码"),
    ("/compare?mode=matrix", "客服三问"),
    ("/lookup", "客服问答"),
    ("/mood", "长评"),
    ("/mood?view=compare", "两支钢笔"),
    ("/labels", "可多选"),
    ("/labels", "一组新闻"),
    ("/labels", long_list),
    ("/library?view=compare", "十二条"),
    ("/files", reviews),
    *((path, None) for path in ("/sort", "/usage", "/usage?mode=lab", "/race", "/library", "/library?view=pull")),
    *((path, None) for path in ("/files", "/status", "/finetune")),
    *((f"/savings?step={step}", None) for step in (1, 2, 3, 5, 6)),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_the_console_is_quiet(address: str, browser: Browser, scheme: str) -> None:
    """Every page with a result on it: contrast, names, roles, keyboard reach, as far as axe-core sees them."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 1600},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="zh-CN",
        reduced_motion="reduce",
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(_told(message)) if message.type == "error" else None)
    found: list[str] = []
    for path, example in EXAMPLES:
        page.goto(f"{address}{path}")
        settle(page)
        if callable(example):
            example(page)
        elif example:
            page.get_by_role("button", name=example, exact=True).click()
        settle(page)
        page.mouse.move(0, 0)
        settle(page)  # what is about to be drawn anew is pale
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                nodes = [f"{node['html'][:100]} {node['failureSummary'][30:170]}" for node in violation["nodes"][:8]]
                found.append(f"{path} {violation['id']} x{len(violation['nodes'])}: {nodes}")
    context.close()
    assert not found, "\n".join(found)
    assert not errors  # nor a request for nothing, as Streamlit's front end makes at a deep link by itself


def _told(message: ConsoleMessage) -> str:
    return f"{message.text} {message.location['url']}"


def test_each_page_has_its_title_and_the_document_its_language(address: str, page: Page) -> None:
    for path, title, lang in (
        ("compare", "句子相似度 · 文墨共鸣", "zh-CN"),
        ("mood", "情感倾向 · 文墨共鸣", "zh-CN"),
        ("mood?lang=en", "Sentiment · Wenmo", "en"),
    ):
        page.goto(f"{address}/{path}")
        expect(page).to_have_title(title)
        expect(page.locator("html")).to_have_attribute("lang", lang)


def test_the_menu_closes_on_a_phone_when_a_page_is_chosen(address: str, browser: Browser) -> None:
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    phone.goto(f"{address}/compare")
    settle(phone)
    phone.get_by_test_id("stExpandSidebarButton").click()
    phone.locator(".st-key-menu").get_by_role("link", name="情感倾向").click()
    expect(phone.get_by_role("heading", name="情感倾向")).to_be_in_viewport()
    expect(phone.locator(".st-key-menu")).not_to_be_in_viewport()
    phone.close()


def test_the_back_button_restores_the_question_and_its_answer(address: str, page: Page, golden_engine: Engine) -> None:
    page.goto(f"{address}/compare")
    second = "天气不错"
    firsts = ("墨色温润", "今天天气真好", "纸太薄了")
    shown = [f"{result.similarity:.1%}" for result in golden_engine.similarity([(each, second) for each in firsts])]
    for first, answer in zip(firsts, shown, strict=True):
        page.get_by_label("第一句").fill(first)
        page.get_by_label("第二句").fill(second)
        page.get_by_label("第二句").press("Enter")
        expect(page.get_by_text(answer, exact=True).first).to_be_visible()
        settle(page)
    for first, answer in reversed(list(zip(firsts[:-1], shown[:-1], strict=True))):
        page.go_back()
        expect(page.get_by_label("第一句")).to_have_value(first)
        expect(page.get_by_text(answer, exact=True).first).to_be_visible()
        settle(page)
    page.go_back()
    expect(page.get_by_label("第一句")).to_have_value("")
    page.go_forward()
    expect(page.get_by_label("第一句")).to_have_value(firsts[0])
