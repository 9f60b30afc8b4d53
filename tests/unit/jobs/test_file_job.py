"""An uploaded file: how it is opened and named, and what its record is worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from wenmo.errors import InputError
from wenmo.jobs import file_job
from wenmo.jobs.file_job import FileJob
from wenmo.jobs.options import RunOptions


def _job(folder: Path, content: str) -> FileJob:
    job = FileJob("我的.csv", folder, "192.0.2.1")
    job.source.write_text(content, encoding="utf-8")
    return job


@pytest.mark.parametrize("content", ["text\n", "", 'text\n"open'])
def test_a_file_that_cannot_be_read_is_named_as_its_visitor_does(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError) as caught:
        _job(tmp_path, content).open()
    for text in (caught.value.en, caught.value.zh):
        assert "我的.csv" in text and "input.csv" not in text and str(tmp_path) not in text


def test_more_rows_than_a_page_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_job, "MAX_ROWS", 2)
    with pytest.raises(InputError, match="3 rows"):
        _job(tmp_path, "text\n好\n很好\n太差了\n").open()


def test_a_record_has_all_that_is_needed_to_go_on(tmp_path: Path) -> None:
    job = _job(tmp_path, "text\n好\n")
    job.begin(object(), "zero_shot", RunOptions(labels="甲，乙"))  # type: ignore[arg-type]
    other = FileJob.recorded(tmp_path)
    assert (other.id, other.name, other.visitor) == (job.id, "我的.csv", "192.0.2.1")
    assert other.received_bytes == job.source.stat().st_size
    status = other.status()
    assert (status.state, status.task, status.options) == ("interrupted", "zero_shot", RunOptions(labels="甲，乙"))
