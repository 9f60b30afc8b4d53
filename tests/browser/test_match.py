"""Two files of the size that people bring: matched with progress, downloaded row by row."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import settle
from tests.waiting import WAIT_S

QUESTIONS, ANSWERS = 2_000, 300


def test_a_file_of_questions_is_matched_with_a_faq(address: str, page: Page, tmp_path: Path) -> None:
    draw = random.Random(0)

    def sentence() -> str:
        return "".join(draw.choices("忘记密码怎么找回发票在哪里开几天能收到快递退货地址", k=draw.randint(5, 16)))

    answers = list(dict.fromkeys(sentence() for _ in range(2 * ANSWERS)))[:ANSWERS]
    questions = [draw.choice(answers) if draw.random() < 0.5 else sentence() for _ in range(QUESTIONS)]
    page.goto(f"{address}/lookup")
    page.get_by_role("radio", name="文件").or_(page.get_by_role("button", name="文件", exact=True)).first.click()
    settle(page)
    for place, (name, texts) in enumerate((("questions.csv", questions), ("faq.csv", answers))):
        content = "\n".join(["编号,问题", *(f"{number},{text}" for number, text in enumerate(texts))])
        page.locator("input[type=file]").nth(place).set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
        )
        expect(page.get_by_text(name).first).to_be_visible()
        settle(page)
    page.get_by_role("button", name=f"{QUESTIONS:,}").click()
    expect(page.get_by_text("手工改过")).to_be_visible(timeout=1000 * WAIT_S)
    settle(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="下载 CSV").click()
    target = tmp_path / "matched.csv"
    started.value.save_as(target)
    with target.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert len(rows) == QUESTIONS
    column = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    assert questions in column.values()
    # Whose text stands in the FAQ word for word: among the nearest by vectors, so it is judged.
    assert any(set(values) <= {*answers, ""} and any(values) for values in column.values())
