"""In a real browser: the story by keyboard, by link and as a file; the tour of the first visit."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import settle
from wenmo.story.draw import TITLE
from wenmo.story.steps import KEYS, TITLES, Key


def title(page: Page, step: Key) -> None:
    expect(page.get_by_role("heading", name=TITLES[step].zh, level=1)).to_be_visible()


def test_the_story_is_walked_through_with_the_arrow_keys(address: str, page: Page) -> None:
    page.goto(f"{address}/savings")
    for step in KEYS:
        title(page, step)
        settle(page)
        page.keyboard.press("ArrowRight")
    title(page, "accuracy")  # there is nothing after it
    settle(page)
    page.keyboard.press("ArrowLeft")
    title(page, "money")
    settle(page)
    page.get_by_role("button", name="我的显卡与价格").click()
    field = page.get_by_label("每小时价格")
    field.fill("3")
    field.press("Enter")
    expect(page.get_by_text("每小时 ¥3.00：")).to_be_visible()
    settle(page)
    field.press("ArrowLeft")  # moves in the field, not in the story
    page.wait_for_timeout(500)
    title(page, "money")
    page.keyboard.press("Escape")


def test_a_link_opens_at_its_step_with_its_price_and_fills_the_screen(address: str, browser: Browser) -> None:
    for width in (1440, 390):
        page = browser.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
        page.goto(f"{address}/savings?step=3&price=2&texts=7200")
        title(page, "memory")
        settle(page)
        box = page.locator(".wm-story").bounding_box()
        assert box is not None and box["width"] > 0.85 * width and box["height"] > 600
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.locator(".st-key-menu")).not_to_be_in_viewport()
        page.goto(f"{address}/savings?step=5&price=2&texts=7200")
        expect(page.get_by_text("每天 7,200 条、每小时 ¥2.00：")).to_be_visible()
        page.close()


def test_the_exported_file_shows_all_of_it_without_the_app(
    address: str, browser: Browser, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{address}/savings?price=2")
    with page.expect_download() as download:
        page.get_by_role("button", name="导出 HTML").click()
    saved = tmp_path / download.value.suggested_filename
    assert saved.name == "wenmo-story.html"
    download.value.save_as(saved)
    context = browser.new_context(offline=True, java_script_enabled=False)
    alone = context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(saved.as_uri())
    for step in KEYS:
        expect(alone.get_by_role("heading", name=TITLES[step].zh, level=2)).to_be_visible()
    expect(alone.get_by_text("每小时 ¥2.00").first).to_be_visible()
    bar = alone.locator(".wm-bar").first.bounding_box()
    assert bar is not None and bar["width"] > 300
    assert asked == [saved.as_uri()]
    context.close()


def test_the_exported_file_is_in_the_visitors_language(address: str, page: Page) -> None:
    page.goto(f"{address}/savings?lang=en")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export HTML").click()
    html = Path(download.value.path()).read_text(encoding="utf-8")
    assert '<html lang="en">' in html and TITLE.en in html


def test_the_tour_is_shown_once_by_keyboard_too_and_again_by_its_button(address: str, page: Page) -> None:
    tour = page.get_by_role("dialog", name="导览")
    page.goto(address)
    expect(tour).to_be_visible()
    expect(tour.get_by_role("heading", name="读句子")).to_be_visible()
    settle(page)
    expect(tour).to_be_visible()  # the runs of the page do not close it
    tour.get_by_role("button", name="下一步").press("Enter")
    expect(tour.get_by_role("heading", name="处理文件")).to_be_visible()
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    page.reload()
    expect(page.get_by_role("button", name="导览")).to_be_visible()
    settle(page)
    expect(tour).to_be_hidden()
    page.get_by_role("button", name="导览").press("Enter")
    for name in ("处理文件", "算清代价"):
        page.keyboard.press("Enter")  # the focus stands on "next"
        expect(tour.get_by_role("heading", name=name)).to_be_visible()
    tour.get_by_role("button", name="去看看").click()
    title(page, "before")
    expect(tour).to_be_hidden()
    settle(page)
    page.go_back()
    expect(page.get_by_role("heading", name="文墨共鸣")).to_be_visible()
    expect(tour).to_be_hidden()


def test_the_sidebar_is_away_in_the_story_alone_and_stays_as_the_visitor_has_it(address: str, page: Page) -> None:
    page.goto(f"{address}/compare")
    settle(page)
    page.locator(".st-key-menu").get_by_role("link", name="汇报").click()
    title(page, "before")
    settle(page)
    expect(page.locator(".st-key-menu")).not_to_be_in_viewport()
    page.go_back()
    expect(page.get_by_role("heading", name="句子相似度")).to_be_visible()
    expect(page.locator(".st-key-menu")).to_be_in_viewport()
    page.get_by_test_id("stSidebarHeader").hover()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    expect(page.locator(".st-key-menu")).not_to_be_in_viewport()
    page.get_by_role("button", name="同题异问", exact=True).click()
    settle(page)
    expect(page.locator(".st-key-menu")).not_to_be_in_viewport()  # a run of the page does not open it
