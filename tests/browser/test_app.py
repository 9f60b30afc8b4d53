"""The app as a visitor meets it: a real server, headless Chromium, a typed pair, the score on the screen."""

from __future__ import annotations

import csv
import json
import urllib.request
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from wenmo import Engine


def type_labels(page: Page, labels: str) -> None:
    """Several at once, as one would paste them; each becomes a chip."""
    chips = page.get_by_role("combobox", name="标签")
    chips.fill(labels)
    chips.press("Enter")
    chips.press("Tab")  # the open list hides the rest of the page from assistive technology, and from roles
    expect(page.get_by_text(labels.split("，")[-1], exact=True).first).to_be_visible()


def test_the_first_visitor_may_come_by_a_deep_link(address: str, page: Page) -> None:
    """Must stay the first test: the server has just started. Streamlit answered "page not found" here."""
    page.goto(f"{address}/compare?mode=ranking&lang=en")
    expect(page.get_by_role("heading", name="Similarity", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Rank")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_typed_pair_is_scored(address: str, page: Page, golden_engine: Engine) -> None:
    expected = golden_engine.similarity([("今天天气真好", "天气不错")])[0].similarity
    page.goto(f"{address}/compare")
    page.get_by_label("第一句").fill("今天天气真好")
    page.get_by_label("第二句").fill("天气不错")
    page.get_by_label("第二句").press("Enter")
    expect(page.get_by_text(f"{expected:.1%}", exact=True)).to_be_visible()


def test_what_is_typed_is_shown_and_not_run(address: str, page: Page) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{address}/labels")
    page.get_by_role("textbox", name="文本").fill("<img src=x onerror=alert(1)>今天")
    type_labels(page, "<b>粗</b>，**重**，<img src=x onerror=alert(2)>")
    chosen = page.get_by_test_id("stMultiSelectTagsContainer")  # the list below it still shows it, for a moment
    expect(chosen.get_by_text("**重**", exact=True)).to_be_visible()
    page.get_by_role("button", name="分类", exact=True).click()
    expect(page.locator("svg").get_by_text("<b>粗</b>").first).to_be_visible()
    assert page.locator("img[src='x']").count() == 0


def test_an_explanation_is_drawn_literally_and_stays_open(address: str, page: Page) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{address}/mood")
    page.get_by_role("textbox", name="文本").fill("<img src=x onerror=alert(1)>鲜")
    page.get_by_role("button", name="判断情绪", exact=True).click()
    page.get_by_text("为什么？ Why?").click()
    expect(page.locator("svg").get_by_text("鲜", exact=True)).to_be_visible()
    expect(page.locator("svg").get_by_text("<", exact=True)).to_be_visible()
    assert page.locator("img[src='x']").count() == 0
    page.get_by_role("radio", name="English").click()
    expect(page.get_by_text("Each character is hidden in turn")).to_be_visible()


def test_long_work_can_be_stopped_and_begun_again(address: str, page: Page) -> None:
    page.goto(f"{address}/labels")
    texts = "\n".join(f"{number}号工单" + "账单里多扣了二十块钱" * 40 for number in range(100))
    page.get_by_role("textbox", name="文本").fill(texts)
    type_labels(page, "，".join(f"类别{number}" for number in range(39)))
    submit = page.get_by_role("button", name="分类", exact=True)
    submit.click()
    page.get_by_role("button", name="停止", exact=True).click()
    expect(page.get_by_text("已停止")).to_be_visible()
    submit.click()  # the same inputs: once more, not "stopped" for ever
    expect(page.get_by_text("已停止")).to_have_count(0)
    stop = page.get_by_role("button", name="停止", exact=True)
    stop.click()
    expect(page.get_by_text("已停止")).to_be_visible()
    page.get_by_role("textbox", name="文本").fill("账单有误")
    page.get_by_role(
        "button", name="重新开始", exact=True
    ).click()  # what is typed in the form counts from its own button on
    submit.click()
    expect(page.get_by_text("最可能的标签")).to_be_visible()


def test_a_file_is_worked_on_filtered_and_downloaded(
    address: str, page: Page, golden_engine: Engine, tmp_path: Path
) -> None:
    """Through a reload; what is downloaded is what the engine answers, and nothing in it can run."""
    texts = ["很好", "=HYPERLINK(1)", "太差了", "<img src=x onerror=alert(1)>"]
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    content = "\n".join(["序号,评论", *(f'{number},"{text}"' for number, text in enumerate(texts))])
    page.goto(f"{address}/files")
    page.locator("input[type=file]").set_input_files(
        {"name": "**评论**.csv", "mimeType": "text/csv", "buffer": content.encode("gb18030")}
    )
    page.get_by_role("button", name="开始处理 4 行").click()
    expect(page.get_by_text("下载结果")).to_be_visible()
    page.reload()
    expect(page.get_by_text("**评论**.csv").first).to_be_visible()
    page.get_by_role("textbox", name="文本包含").fill("太")
    page.get_by_role("textbox", name="文本包含").press("Enter")
    expect(page.get_by_text("符合的有 1 行。")).to_be_visible()
    assert page.locator("img[src='x']").count() == 0

    def download(name: str) -> Path:
        with page.expect_download() as started:
            page.get_by_role("button", name=name, exact=True).click()
        target = tmp_path / started.value.suggested_filename
        started.value.save_as(target)
        return target

    expected = [result.label for result in golden_engine.sentiment(texts)]
    with download("CSV").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["评论"] for row in rows] == [texts[0], "'" + texts[1], *texts[2:]]
    assert [row["label"] for row in rows] == expected
    sheet = openpyxl.load_workbook(download("Excel")).worksheets[0]
    assert [(cell.value, cell.data_type) for cell in sheet["B"][1:]] == [(text, "s") for text in texts]
    lines = download("JSONL").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["label"] for line in lines] == expected
    assert pq.read_table(download("Parquet"))["label"].to_pylist() == expected
    with urllib.request.urlopen(f"{address}/_stcore/metrics") as answer:  # the upload is on disk, not in memory
        assert b'cache_type="UploadedFileManager"' not in answer.read()
    page.get_by_role("button", name="删除并换一个文件").click()
    expect(page.get_by_text("一百条示例评论")).to_be_visible()
    assert "job=" not in page.url


def test_the_address_keeps_language_and_mode(address: str, page: Page) -> None:
    page.goto(f"{address}/compare")
    page.get_by_role("radio", name="矩阵").click()
    page.get_by_role("radio", name="English").click()
    expect(page.get_by_role("button", name="Draw")).to_be_visible()
    assert "mode=matrix" in page.url
    assert "lang=en" in page.url
    page.goto(page.url)
    expect(page.get_by_role("button", name="Draw")).to_be_visible()
