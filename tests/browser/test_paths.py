"""The ways of four visitors through the app, from the home page to what they came for, with the number of clicks."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import openpyxl
from playwright.sync_api import Browser, Download, Locator, Page, expect

from tests.browser.conftest import settle
from tests.waiting import WAIT_S
from wenmo.paths import ASSETS
from wenmo.story.steps import KEYS, TITLES
from wenmo.ui.text import TEXTS


class Visitor:
    """Clicks and counts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1
        settle(self.page)

    def button(self, name: str | re.Pattern[str]) -> None:
        self.click(self.page.get_by_role("button", name=name).first)

    def go(self, name: str) -> None:
        """By the menu."""
        self.click(self.page.locator(".st-key-menu").get_by_role("link", name=name, exact=True))

    def radio(self, name: str) -> None:
        self.click(self.page.get_by_role("radio", name=name, exact=True))

    def choose(self, label: str, option: str) -> None:
        """Two clicks: the list, and one of its entries."""
        self.click(self.page.get_by_role("combobox", name=label, exact=True))
        self.click(self.page.get_by_role("option", name=option, exact=True))

    def download(self, name: str, folder: Path) -> Path:
        with self.page.expect_download() as started:
            self.page.get_by_role("button", name=name, exact=True).click()
        self.clicks += 1
        return _saved(started.value, folder)


def _saved(download: Download, folder: Path) -> Path:
    target = folder / download.suggested_filename
    download.save_as(target)
    return target


def _visitor(address: str, page: Page) -> Visitor:
    page.add_init_script("localStorage.setItem('wenmo.tour', 'seen')")
    page.goto(address)
    settle(page)
    return Visitor(page)


def test_questions_find_their_answers_in_a_faq(address: str, page: Page, tmp_path: Path) -> None:
    """200 questions, 30 answers, each of which is asked about word for word among them."""
    answers = [f"第{number}号产品的保修期有{number}个月" for number in range(30)]
    questions = [answers[number % 30] + ("吗" if number >= 30 else "") for number in range(200)]
    visitor = _visitor(address, page)
    visitor.go("匹配")
    visitor.radio("文件")
    for place, (name, texts) in enumerate((("questions.csv", questions), ("faq.csv", answers))):
        content = "\n".join(["编号,问题", *(f"{number},{text}" for number, text in enumerate(texts))])
        page.locator("input[type=file]").nth(place).set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
        )
        settle(page)
    visitor.button(re.compile("200"))
    expect(page.get_by_text("手工改过")).to_be_visible(timeout=1000 * WAIT_S)
    settle(page)
    with visitor.download("下载 CSV", tmp_path).open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    found = {row[header.index(TEXTS["match.table.match"].zh)] for row in rows}
    assert len(rows) == 200 and found <= {*answers, ""}
    assert visitor.clicks == 4


def test_an_export_of_reviews_becomes_charts_and_an_excel_file(address: str, page: Page, tmp_path: Path) -> None:
    visitor = _visitor(address, page)
    visitor.go("批量")
    page.locator("input[type=file]").set_input_files(ASSETS / "samples" / "reviews.csv")
    settle(page)
    visitor.button("开始处理 100 行")
    expect(page.get_by_text("下载结果")).to_be_visible(timeout=1000 * WAIT_S)
    settle(page)
    visitor.choose(TEXTS["batch.group_by"].zh, "日期")
    chart = page.locator(".st-key-batch_groups_chart, [class*=batch_groups_chart]").first
    expect(chart.locator("svg").get_by_text("差评", exact=True)).to_be_visible()
    path = visitor.download("Excel", tmp_path)
    assert path.name == "reviews-wenmo.xlsx"
    rows, summary = openpyxl.load_workbook(path).worksheets
    assert rows.max_row == 101 and len(summary._charts) == 2
    assert visitor.clicks == 5


def test_what_a_card_of_8_gb_saves_becomes_a_story_in_one_file(address: str, page: Page, tmp_path: Path) -> None:
    """FP16, batches and checkpointing in training, predicted; the story tells the lab's own figures."""
    visitor = _visitor(address, page)
    visitor.go("显存")
    visitor.radio("实验室")
    visitor.radio("我的显卡")
    visitor.choose("模型", "tiny，随机权重（每步数秒）")
    visitor.choose("工作", "一个训练步")
    visitor.click(page.get_by_text("也在本机实测"))
    page.get_by_role("button", name="开始", exact=True).click()  # half a minute of one core, all the time in motion
    visitor.clicks += 1
    headline = page.get_by_role("heading", name=re.compile("^在 8 GB 卡上：显存 .* → .*，省 .*，最大批 .* → "))
    expect(headline).to_be_visible(timeout=5_000 * WAIT_S)
    settle(page)
    saved = re.search(r"显存 (\S+ \w+) → (\S+ \w+)", headline.inner_text())
    assert saved is not None
    page.reload()
    expect(headline).to_be_visible()
    settle(page)
    visitor.click(page.get_by_role("link", name=re.compile("用这些数字做汇报")))
    html = visitor.download("导出 HTML", tmp_path).read_text(encoding="utf-8")
    assert all(TITLES[key].zh in html for key in KEYS)
    assert f"从 {saved[1]} 降到 {saved[2]}" in html and "8 GB 显卡" in html
    assert visitor.clicks == 11


def test_a_first_visit_on_a_phone(address: str, browser: Browser) -> None:
    """The tour leaves the answer's button free; the menu is seen, leads on, and closes."""
    phone = browser.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
    phone.set_default_timeout(1000 * WAIT_S)
    phone.goto(address)
    settle(phone)
    visitor = Visitor(phone)
    tour = phone.get_by_role("dialog", name="导览")
    expect(tour).to_be_visible()
    card, button = tour.bounding_box(), phone.get_by_role("button", name="比较", exact=True).bounding_box()
    assert card is not None and button is not None
    assert card["y"] >= button["y"] + button["height"] or card["y"] + card["height"] <= button["y"]
    visitor.click(tour.get_by_role("button", name="关闭"))
    visitor.button("换个说法")
    expect(phone.get_by_text("同义概率", exact=True).first).to_be_visible()
    menu = phone.get_by_role("button", name="打开菜单")
    box = menu.bounding_box()
    assert box is not None and min(box["width"], box["height"]) >= 24
    visitor.click(menu)
    visitor.go("情感倾向")
    expect(phone.locator(".st-key-menu")).not_to_be_in_viewport()
    visitor.button("欣喜")
    expect(phone.get_by_text("正面概率", exact=True).first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for help_ in phone.get_by_test_id("stTooltipHoverTarget").all():
        place = help_.bounding_box()
        assert place is None or min(place["width"], place["height"]) >= 24
    assert visitor.clicks == 5
    phone.close()
