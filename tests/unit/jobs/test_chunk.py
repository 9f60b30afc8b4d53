"""A file of rows through a task: every row comes out, in its place, with its own answer or the reason for none."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import wenmo
from tests.conftest import GOLDEN
from tests.length_engine import LengthEngine, run
from tests.tables import copy
from wenmo.errors import InputError
from wenmo.jobs.executor import JobProgress
from wenmo.jobs.sources import find_files
from wenmo.tables.cells import is_blank
from wenmo.tables.readers import open_reader
from wenmo.types import ZERO_SHOT_METHODS, SentimentResult, TaskName, ZeroShotMethod


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------------------- the answers


def test_sentiment_in_jsonl(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", '{"text": "好", "id": 7}\n{"id": 8, "text": "非常不错"}\n')
    summary = run("sentiment", source, tmp_path / "out.jsonl", logits=True)
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines() == [
        '{"text": "好", "id": 7, "label": "短", "score": 0.5, "scores": {"短": 0.5, "长": 0.5}, "truncated": false, '
        '"logits": [1.0, -0.1], "error": null}',
        '{"id": 8, "text": "非常不错", "label": "长", "score": 0.8, "scores": {"长": 0.8, "短": 0.2}, '
        '"truncated": false, "logits": [4.0, -0.1], "error": null}',
    ]
    assert (summary.rows, summary.failed_rows, summary.column_prefix) == (2, 0, "")
    assert summary.label_counts == {"短": 1, "长": 1}
    assert summary.rows_per_s == summary.rows / summary.seconds
    assert summary.mean_confidence == pytest.approx(0.65)


def test_numbers_are_written_in_full_in_csv(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "id,text\n001,一二\n002,一二三四五六七八九十甲\n")
    run("sentiment", source, tmp_path / "out.csv", logits=True)
    first, second = csv_rows(tmp_path / "out.csv")
    assert list(first) == ["id", "text", "label", "score", "scores", "truncated", "logits", "error"]
    assert first["id"] == "001"
    assert float(first["score"]) == 1 - 1 / 3
    assert json.loads(first["scores"]) == {"长": 1 - 1 / 3, "短": 1 / 3}
    assert list(json.loads(first["scores"])) == ["长", "短"]
    assert json.loads(first["logits"]) == [2.0, -0.1]
    assert [row["truncated"] for row in (first, second)] == ["false", "true"]
    assert {row["error"] for row in (first, second)} == {""}


def test_similarity_over_named_columns_in_parquet(tmp_path: Path) -> None:
    table = pa.table({"q": ["好", "好"], "n": pa.array([1, 2], pa.int8()), "p": ["好", "坏了"]})
    pq.write_table(table, tmp_path / "in.parquet")
    run("similarity", tmp_path / "in.parquet", tmp_path / "out.parquet", text_a="q", text_b="p", logits=True)
    got = pq.read_table(tmp_path / "out.parquet")
    assert {field.name: str(field.type) for field in got.schema} == {
        "q": "string", "n": "int8", "p": "string", "label": "string", "score": "double", "scores": "string",
        "truncated": "bool", "logits": "string", "error": "string",
    }  # fmt: skip
    assert got["label"].to_pylist() == ["同", "异"]
    assert got["score"].to_pylist() == [0.75, 0.75]
    assert json.loads(got["scores"][1].as_py()) == {"异": 0.75, "同": 0.25}
    assert json.loads(got["logits"][1].as_py()) == [1.0, 2.0]
    assert got["error"].to_pylist() == [None, None]


def test_zero_shot_with_all_its_options(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "content\n谈体育\n体育和谈财经\n")
    summary = run(
        "zero_shot", source, tmp_path / "out.jsonl",
        text="content", labels="体育，财经,体育", template="谈{}", multi_label=True, logits=True,
    )  # fmt: skip
    first, second = jsonl(tmp_path / "out.jsonl")
    assert (first["label"], second["label"]) == ("体育", "财经")
    assert second["scores"] == {"财经": 1.0, "体育": 0.5}
    assert second["logits"] == [[0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    assert summary.dropped_labels == ("体育",)
    run("zero_shot", source, tmp_path / "plain.csv", text="content", labels="甲")
    assert open_reader(tmp_path / "plain.csv").columns == (
        "content", "label", "score", "scores", "truncated", "error",
    )  # fmt: skip


@pytest.mark.parametrize("method", ZERO_SHOT_METHODS)
def test_each_method_of_zero_shot_answers_as_the_engine_does(tmp_path: Path, method: ZeroShotMethod) -> None:
    """Twelve labels, more than the shortlist; a golden model for the vectors, too."""
    texts, labels = ["周末去看球赛", "股市又跌了"], [f"第{number}类" for number in range(12)]
    source = write(tmp_path / "in.csv", "\n".join(["text", *texts]))
    models: dict[str, Path] = dict.fromkeys(("zero_shot", "embedding"), GOLDEN / "zero_shot")
    with wenmo.Engine(device="cpu", precision="fp32", models=models, cache_mib=0) as engine:
        run("zero_shot", source, tmp_path / "out.jsonl", engine=engine, labels=",".join(labels), method=method)
        expected = engine.zero_shot(texts, labels=labels, method=method)
        asked = set(engine.loaded_tasks())
    rows = jsonl(tmp_path / "out.jsonl")
    assert [row["label"] for row in rows] == [each.label for each in expected]
    for row, each in zip(rows, expected, strict=True):
        assert row["scores"] == pytest.approx(each.scores, abs=1e-6)
    both = {"zero_shot", "embedding"}
    expected_models = {"auto": {"zero_shot"}, "nli": {"zero_shot"}, "embedding": {"embedding"}}
    assert asked == expected_models.get(method, both)


def test_auto_is_the_ensemble_for_the_bundled_models(tmp_path: Path, bundled: wenmo.Engine) -> None:
    """And a job records the method that it used, not that it was left to the models."""
    texts, labels = ["周末去看球赛", "股市又跌了"], ["体育", "财经"]
    source = write(tmp_path / "in.csv", "\n".join(["text", *texts]))
    run("zero_shot", source, tmp_path / "out.jsonl", engine=bundled, labels="，".join(labels))
    run("zero_shot", source, tmp_path / "named.jsonl", engine=bundled, labels="，".join(labels), method="ensemble")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "named.jsonl").read_bytes()
    expected = bundled.zero_shot(texts, labels=labels)
    assert [each.method for each in expected] == ["ensemble", "ensemble"]
    for row, each in zip(jsonl(tmp_path / "out.jsonl"), expected, strict=True):
        assert row["scores"] == pytest.approx(each.scores, abs=1e-6)


# ------------------------------------------------------------------------------------------- rows that cannot be done


def test_rows_without_text_stay_in_place_with_the_reason(tmp_path: Path) -> None:
    values: list[Any] = ["好", None, "", 12, 1.5, True, ["好"], float("nan"), "坏", "\ud800"]
    lines = [json.dumps({"n": n, "text": value}) for n, value in enumerate(values)] + ['{"n": 10}']
    source = write(tmp_path / "in.jsonl", "\n".join(lines))
    summary = run("sentiment", source, tmp_path / "out.jsonl", logits=True)
    rows = jsonl(tmp_path / "out.jsonl")
    assert [row["n"] for row in rows] == list(range(11))
    lengths = [row["logits"] and row["logits"][0] for row in rows]
    assert lengths == [1, None, None, 2, 3, None, None, None, 1, None, None]
    assert [row["n"] for row in rows if row["error"]] == [1, 2, 5, 6, 7, 9, 10]
    assert rows[1]["error"] == "No value in column 'text'."
    assert rows[6]["error"] == "The value in column 'text' is no text but list."
    assert [rows[1][name] for name in ("label", "score", "scores", "truncated")] == [None] * 4
    assert (summary.rows, summary.failed_rows) == (11, 7)
    assert sum(summary.label_counts.values()) == 4


BLANK = ["", "   ", "\u3000", "\u200b", "\ufeff", "\u00a0\t", "\u2060\u00ad", "\u3164", "\ufe0f\u200d", "\x00\x1f"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".xlsx"])
def test_blank_texts_have_no_result_in_any_format(tmp_path: Path, suffix: str) -> None:
    texts = ["味道很好", *BLANK, "太难吃了"]
    source = write(tmp_path / "in.jsonl", "".join(json.dumps({"id": n, "text": t}) + "\n" for n, t in enumerate(texts)))
    if suffix == ".xlsx":
        texts = [text for text in texts if "\x00" not in text]  # no XML can hold it
        book = openpyxl.Workbook()
        for record in [("id", "text"), *enumerate(texts)]:
            book.active.append(record)
        book.save(source := tmp_path / "in.xlsx")
    elif suffix != ".jsonl":
        copy(source, source := tmp_path / f"in{suffix}")
    summary = run("sentiment", source, tmp_path / "out.jsonl")
    rows = jsonl(tmp_path / "out.jsonl")
    assert [row["label"] is None for row in rows] == [False, *[True] * (len(texts) - 2), False]
    assert {row["error"] for row in rows[1:-1]} <= {
        "The text in column 'text' is blank.", "No value in column 'text'.",
    }  # fmt: skip
    assert (summary.rows, sum(summary.label_counts.values())) == (len(texts), 2)


def test_errors_of_a_spreadsheet_are_no_texts(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "id,text\n1,#N/A\n2, #NAME? \n3,#1 好评\n")
    run("sentiment", source, tmp_path / "out.jsonl")
    first, second, third = jsonl(tmp_path / "out.jsonl")
    assert "#N/A" in first["error"] and "#NAME?" in second["error"] and third["label"]


def test_ragged_csv_rows(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "text_a,text_b\n好,好\n好\n好,好,好\n,\n")
    summary = run("similarity", source, tmp_path / "out.csv", language="zh")
    rows = csv_rows(tmp_path / "out.csv")
    assert [row["label"] for row in rows] == ["同", "", "", ""]
    assert "此行有 1 个单元格" in rows[1]["error"]
    assert "此行有 3 个单元格" in rows[2]["error"]
    assert rows[2]["column_3"] == "好"
    assert summary.failed_rows == 3


def test_parquet_nulls(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([None, "好", None])}), tmp_path / "in.parquet")
    run("sentiment", tmp_path / "in.parquet", tmp_path / "out.parquet")
    got = pq.read_table(tmp_path / "out.parquet")
    assert got["score"].to_pylist() == [None, 0.5, None]
    assert [bool(error) for error in got["error"].to_pylist()] == [True, False, True]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_rows_in_none_out(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / "in.csv", "text\n")
    summary = run("sentiment", source, tmp_path / f"out{suffix}")
    assert (summary.rows, summary.failed_rows, summary.label_counts) == (0, 0, {})
    assert open_reader(tmp_path / f"out{suffix}").row_count == 0
    empty = write(tmp_path / "empty.jsonl", "")
    assert run("sentiment", empty, tmp_path / f"out{suffix}").rows == 0


# ------------------------------------------------------------------------------------------- many rows, and progress


def test_many_rows_go_through_in_windows_and_in_order(tmp_path: Path) -> None:
    texts = ["字" * (n % 7 + 1) for n in range(4_100)]
    source = write(tmp_path / "in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
    engine = LengthEngine()
    done: list[JobProgress] = []
    run("sentiment", source, tmp_path / "out.jsonl", engine=engine, logits=True, progress=done.append)
    assert sorted(engine.calls) == [4, 4_096]
    assert (done[-1].rows, done[-1].total_rows) == (4_100, 4_100)
    assert [progress.rows for progress in done] == sorted(progress.rows for progress in done)
    assert [row["logits"][0] for row in jsonl(tmp_path / "out.jsonl")] == [n % 7 + 1 for n in range(4_100)]


# --------------------------------------------------------------------------------------------------- names and files


def test_columns_of_the_file_are_never_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "text,label\n好,正面\n")
    first = run("sentiment", source, tmp_path / "one.csv")
    assert first.column_prefix == "wenmo_"
    assert open_reader(tmp_path / "one.csv").columns == (
        "text", "label", "wenmo_label", "wenmo_score", "wenmo_scores", "wenmo_truncated", "wenmo_error",
    )  # fmt: skip
    second = run("sentiment", tmp_path / "one.csv", tmp_path / "two.csv")
    assert second.column_prefix == "wenmo2_"
    (row,) = csv_rows(tmp_path / "two.csv")
    assert (row["label"], row["wenmo_label"], row["wenmo2_label"]) == ("正面", "短", "短")


def test_missing_columns_are_named_with_those_there_are(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "标题,text_b\n好,好\n")
    engine = LengthEngine()
    with pytest.raises(InputError, match=r"no column 'text_a'\. Its columns are: '标题', 'text_b'.*--text-a") as caught:
        run("similarity", source, tmp_path / "out.csv", engine=engine)
    assert "'标题', 'text_b'" in caught.value.zh
    with pytest.raises(InputError, match="no column 'text'"):
        run("sentiment", source, tmp_path / "out.csv", engine=engine)
    assert engine.calls == []
    assert not (tmp_path / "out.csv").exists()


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "text\n好\n")
    (tmp_path / "soft.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    (tmp_path / "sub").mkdir()
    for target in (source, tmp_path / "soft.csv", tmp_path / "hard.csv", tmp_path / "sub" / ".." / "in.csv"):
        with pytest.raises(InputError, match="is an input itself"):
            run("sentiment", source, target)
    assert source.read_text(encoding="utf-8") == "text\n好\n"


def test_wrong_files_are_refused_before_the_engine_works(tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", "text\n好\n")
    engine = LengthEngine()
    cases = [
        (source, tmp_path / "absent" / "out.csv", "no folder"),
        (source, tmp_path / "out.xlsx", "suffix"),
        (tmp_path / "absent.csv", tmp_path / "out.csv", "no file"),
        (tmp_path, tmp_path / "out.csv", "need a folder"),
        (tmp_path, tmp_path / "out", "lies in the folder"),
    ]
    for given, target, reason in cases:
        with pytest.raises(InputError, match=reason):
            run("sentiment", given, target, engine=engine)
    assert engine.calls == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"labels": "甲", "method": "magic"}, "no method 'magic'"),
        ({"labels": "甲,乙", "method": "embedding", "multi_label": True}, "nearest"),
        ({}, "--labels"),
        ({"labels": " , ，"}, "label"),
        ({"labels": "甲", "template": "没有"}, r"\{\}"),
    ],
)
def test_what_the_engine_refuses_ends_the_run(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    source = write(tmp_path / "in.csv", "text\n好\n")
    with pytest.raises(InputError, match=reason):
        run("zero_shot", source, tmp_path / "out.csv", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


# --------------------------------------------------------------------------------------------------- the real engine


def golden_cases(task: TaskName, input_type: str) -> list[dict[str, Any]]:
    cases = json.loads((GOLDEN / task / "golden.json").read_text(encoding="utf-8"))["cases"]
    return [case for case in cases if case["input_type"] == input_type and not case.get("pipeline_kwargs")]


def without_blank(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that a job answers: ModelScope answers blank texts, too, with what the model says to nothing."""
    texts = [[case["input"]] if isinstance(case["input"], str) else case["input"] for case in cases]
    return [case for case, each in zip(cases, texts, strict=True) if not any(map(is_blank, each))]


def assert_as_modelscope(case: dict[str, Any], row: dict[str, Any], logits: list[float]) -> None:
    """To the tolerances of tests/golden/README.md."""
    expected = dict(zip(case["output"]["labels"], case["output"]["scores"], strict=True))
    scores = json.loads(row["scores"]) if isinstance(row["scores"], str) else row["scores"]
    assert {label: scores[label] for label in expected} == pytest.approx(expected, abs=1e-5)
    assert logits == pytest.approx([value for values in case["logits"] for value in values], abs=1e-4)
    if not case.get("tied_scores"):
        assert row["label"] == case["output"]["labels"][0]


def golden_engine(task: TaskName) -> wenmo.Engine:
    return wenmo.Engine(device="cpu", precision="fp32", models={task: GOLDEN / task})


def test_sentiment_of_a_jsonl_file_is_modelscopes(tmp_path: Path) -> None:
    cases = without_blank(golden_cases("sentiment", "text"))
    assert len(cases) > 50
    source = write(tmp_path / "in.jsonl", "".join(json.dumps({"text": case["input"]}) + "\n" for case in cases))
    with golden_engine("sentiment") as engine:
        summary = run("sentiment", source, tmp_path / "out.jsonl", engine=engine, logits=True)
    assert (summary.rows, summary.failed_rows) == (len(cases), 0)
    for case, row in zip(cases, jsonl(tmp_path / "out.jsonl"), strict=True):
        assert_as_modelscope(case, row, row["logits"])


def test_similarity_of_a_csv_file_is_modelscopes(tmp_path: Path) -> None:
    cases = without_blank(golden_cases("similarity", "pair"))
    assert len(cases) > 20
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text_a", "text_b"), *(case["input"] for case in cases)])
    with golden_engine("similarity") as engine:
        run("similarity", tmp_path / "in.csv", tmp_path / "out.csv", engine=engine, logits=True)
    for case, row in zip(cases, csv_rows(tmp_path / "out.csv"), strict=True):
        assert_as_modelscope(case, row, json.loads(row["logits"]))


@pytest.mark.parametrize("multi_label", [False, True])
def test_zero_shot_of_a_parquet_file_is_modelscopes(tmp_path: Path, multi_label: bool) -> None:
    """The labels and template that most golden cases share."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in golden_cases("zero_shot", "text"):
        params = dict(case["params"])
        labels, template = params.pop("candidate_labels"), params.pop("hypothesis_template", "{}")
        if params.pop("multi_label", False) == multi_label and not params:
            joined = labels if isinstance(labels, str) else ",".join(labels)
            groups.setdefault((joined, template), []).append(case)
    (labels, template), cases = max(groups.items(), key=lambda item: len(item[1]))
    pq.write_table(pa.table({"text": [case["input"] for case in cases]}), tmp_path / "in.parquet")
    with golden_engine("zero_shot") as engine:
        run(
            "zero_shot", tmp_path / "in.parquet", tmp_path / "out.parquet", engine=engine,
            labels=labels, template=template, multi_label=multi_label, logits=True,
        )  # fmt: skip
    for case, row in zip(cases, pq.read_table(tmp_path / "out.parquet").to_pylist(), strict=True):
        assert_as_modelscope(case, row, [value for values in json.loads(row["logits"]) for value in values])


def test_a_row_that_cannot_be_computed_keeps_its_place(tmp_path: Path) -> None:
    class SmallMemory(LengthEngine):
        def sentiment(self, texts: Sequence[str], *, progress: Any = None) -> list[SentimentResult]:
            results = super().sentiment(texts)
            failed = {index: "out of memory" for index, text in enumerate(texts) if len(text) == 3}
            raise wenmo.ForwardError(failed, [None if index in failed else r for index, r in enumerate(results)])

    source = write(tmp_path / "in.csv", "text\n一二\n一二三\n一二三四\n")
    summary = run("sentiment", source, tmp_path / "out.csv", engine=SmallMemory())
    rows = csv_rows(tmp_path / "out.csv")
    assert (summary.rows, summary.failed_rows) == (len(rows), 1)
    assert [row["text"] for row in rows] == [row["text"] for row in csv_rows(source)]
    assert [bool(row["label"]) for row in rows] == [row["text"] != "一二三" for row in rows]
    assert "out of memory" in rows[1]["error"]


def test_no_output_replaces_any_input(tmp_path: Path) -> None:
    """An original that already lies where another's output goes, and a link from one input to another's output."""
    folder = tmp_path / "d"
    (folder / "out").mkdir(parents=True)
    for path in (folder / "x.csv", folder / "out" / "x.csv"):
        path.write_text("text\n好\n", encoding="utf-8")
    with pytest.raises(InputError, match="is an input itself"):
        find_files(Path(f"{folder}/**/*.csv"), folder / "out")

    read, written = tmp_path / "in", tmp_path / "written"
    for place in (read, written):
        place.mkdir()
    (read / "b.csv").write_text("text\n好\n", encoding="utf-8")
    (written / "b.csv").write_text("text\n原件\n", encoding="utf-8")
    (read / "a.csv").symlink_to(written / "b.csv")
    with pytest.raises(InputError, match="is an input itself"):
        find_files(read, written)
    (read / "a.csv").unlink()
    (read / "a.csv").hardlink_to(written / "b.csv")
    with pytest.raises(InputError, match="is an input itself"):
        find_files(read, written)
