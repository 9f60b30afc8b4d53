"""What Streamlit leaves out: its words in Chinese, labels taken on Tab, typed text that stays, answers announced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from docs.screenshots import running_app
from tests.browser.conftest import settle
from tests.waiting import until
from wenmo.ui.text import TEXTS

# Texts and names that have Latin words alone; fields, code and what the app itself writes so are left out.
_LATIN = """() => {
    const found = new Set(), latin = (text) => /[A-Za-z]{3,}/.test(text) && !/[\\u4e00-\\u9fff]/.test(text);
    const own = "[data-testid=stText], [data-testid=stCode], [data-testid=stCaptionContainer], "
        + "[data-testid=stMetric], [data-testid=stMarkdownContainer] p, [data-testid=stIconMaterial], "
        + "style, script, noscript, svg, canvas, table";
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
        const text = words.currentNode.nodeValue.trim();
        if (latin(text) && !words.currentNode.parentElement.closest(own)) found.add(text);
    }
    for (const name of ["aria-label", "placeholder", "title"])
        for (const each of document.querySelectorAll(`[${name}]`))
            if (latin(each.getAttribute(name)) && !each.closest("svg, canvas, table"))
                found.add(each.getAttribute(name));
    return [...found];
}"""


@pytest.mark.parametrize("path", ["", "compare", "labels", "finetune", "usage?mode=lab&preset=card", "savings?step=5"])
def test_a_page_in_chinese_has_no_words_of_streamlits(address: str, page: Page, path: str) -> None:
    page.goto(f"{address}/{path}")
    settle(page)

    def left() -> list[str]:
        return [text for text in page.evaluate(_LATIN) if not re.search("CSV|Wenmo|English", text)]

    until(lambda: not left(), pause=lambda seconds: page.wait_for_timeout(1000 * seconds), told=left)


def test_a_page_that_is_none_says_so_in_chinese(address: str, page: Page) -> None:
    page.goto(f"{address}/nowhere")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("没有这个页面")).to_be_visible()
    expect(dialog.get_by_text("这个地址没有页面，已打开首页。")).to_be_visible()


def test_a_label_that_is_typed_is_taken_when_the_field_is_left(address: str, page: Page) -> None:
    page.goto(f"{address}/labels")
    settle(page)
    labels = page.get_by_role("combobox", name="标签")
    labels.fill("退款")
    expect(page.get_by_role("option", name="添加：退款")).to_be_visible()
    labels.press("Tab")
    expect(page.get_by_test_id("stMultiSelectTagsContainer").get_by_text("退款", exact=True)).to_be_visible()


def test_what_is_typed_stays_when_the_page_is_changed_or_opened_again(address: str, page: Page) -> None:
    page.goto(f"{address}/mood")
    settle(page)
    text = "还没有提交的一条评论"
    page.get_by_role("textbox", name="文本").fill(text)
    page.locator(".st-key-menu").get_by_role("link", name="首页").click()
    expect(page.get_by_role("heading", name="文墨共鸣", exact=True)).to_be_visible()
    settle(page)
    page.go_back()
    expect(page.get_by_role("textbox", name="文本")).to_have_value(text)
    page.reload()
    expect(page.get_by_role("textbox", name="文本")).to_have_value(text)
    settle(page)
    page.get_by_role("button", name="判断情绪", exact=True).click()  # it is the field's value, not only its look
    expect(page.get_by_text("正面概率", exact=True).first).to_be_visible()


def test_an_answer_is_announced_and_the_focus_is_seen(address: str, page: Page) -> None:
    page.goto(f"{address}/compare")
    settle(page)
    page.get_by_role("button", name="同题异问", exact=True).click()
    expect(page.get_by_role("status").filter(has_text=TEXTS["app.answered"].zh)).to_have_count(1)
    link = page.locator(".st-key-menu").get_by_role("link", name="情感倾向")
    page.locator(".st-key-menu").get_by_role("link", name="匹配").focus()
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    assert link.evaluate("each => parseFloat(getComputedStyle(each).outlineWidth)") >= 2


def test_a_job_is_gone_on_with_after_a_restart(
    page: Page, golden_models: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends while it works on a file; the next one offers to go on, at the same address."""
    for task, folder in golden_models.items():
        monkeypatch.setenv(f"WENMO_{task.upper()}_MODEL", folder)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    texts = "\n".join(["评论", *(f"第{number}条，快递很慢，包装也破了" * 8 for number in range(20_000))])
    with running_app() as first:
        page.goto(f"{first}/files")
        page.locator("input[type=file]").set_input_files(
            {"name": "评论.csv", "mimeType": "text/csv", "buffer": texts.encode()}
        )
        page.get_by_role("button", name="开始处理 20,000 行").click()
        expect(page.get_by_role("button", name="停止", exact=True)).to_be_visible()
        path = page.url.removeprefix(first)
    with running_app() as second:
        page.goto(second + path)
        expect(page.get_by_text(TEXTS["batch.interrupted"].zh)).to_be_visible()
        page.get_by_role("button", name=TEXTS["batch.go_on"].zh, exact=True).click()
        expect(page.get_by_role("button", name="停止", exact=True)).to_be_visible()
        page.get_by_role("button", name="停止", exact=True).click()
        expect(page.get_by_text("已停止")).to_be_visible()


def test_a_list_keeps_its_choice_and_names_it_anew_when_the_language_is_changed(address: str, page: Page) -> None:
    page.goto(f"{address}/labels")
    settle(page)
    page.get_by_role("combobox", name=TEXTS["zero_shot.method"].zh, exact=True).click()
    page.get_by_role("option", name=TEXTS["zero_shot.method.embedding"].zh, exact=True).click()
    settle(page)
    page.get_by_role("radio", name="English", exact=True).click()
    method = page.get_by_role("combobox", name=TEXTS["zero_shot.method"].en, exact=True)
    expect(method).to_have_value(TEXTS["zero_shot.method.embedding"].en)
    settle(page)
    page.get_by_text(TEXTS["zero_shot.multi_label"].en, exact=True).click()  # one more run
    settle(page)
    expect(method).to_have_value(TEXTS["zero_shot.method.embedding"].en)
