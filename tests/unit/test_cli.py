"""Each command of `python -m wenmo`, called as a user calls it. (`serve` is in tests/api/test_server.py.)"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import GOLDEN, GOLDEN_MODELS, ROOT
from tests.fakehub import FakeHub
from tests.waiting import WAIT_S
from wenmo import Engine, __version__
from wenmo.__main__ import main
from wenmo.tables.cells import is_blank

EXACT = ("--device", "cpu", "--precision", "fp32")


def _wenmo(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wenmo", *arguments],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _last_json(output: str) -> Any:
    return json.loads(output.strip().splitlines()[-1])


def _cases(folder: str, kind: str) -> list[dict[str, Any]]:
    """Those of texts that are not blank: a file answers no blank ones, as ModelScope does."""
    cases = json.loads((GOLDEN / folder / "golden.json").read_text(encoding="utf-8"))["cases"]
    cases = [case for case in cases if case["input_type"] == kind and not case["pipeline_kwargs"]]
    texts = [[case["input"]] if kind == "text" else case["input"] for case in cases]
    return [case for case, each in zip(cases, texts, strict=True) if not any(map(is_blank, each))]


def test_run_gives_modelscopes_logits(tmp_path: Path) -> None:
    """All golden texts through a file and back, as a process of its own."""
    cases = _cases("sentiment", "text")
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([case["id"], case["input"]] for case in cases)
    done = _wenmo(
        *("run", "sentiment", str(tmp_path / "in.csv"), str(tmp_path / "out.jsonl"), "--device", "cpu"),
        *("--model", GOLDEN_MODELS["sentiment"], "--precision", "fp32", "--logits"),
    )
    assert done.returncode == 0, done.stderr
    assert _last_json(done.stdout)["rows"] == len(cases)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [str(case["id"]) for case in cases]
    for row, case in zip(rows, cases, strict=True):
        assert row["logits"] == pytest.approx(case["logits"][0], abs=1e-4)
        assert row["label"] == case["output"]["labels"][0]
        for label, score in zip(case["output"]["labels"], case["output"]["scores"], strict=True):
            assert row["scores"][label] == pytest.approx(score, abs=1e-5)


def test_run_similarity_gives_modelscopes_logits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = _cases("similarity", "pair")
    first, second = zip(*(case["input"] for case in cases), strict=True)
    pq.write_table(pa.table({"text_a": first, "text_b": second}), tmp_path / "in.parquet")
    arguments = ["run", "similarity", str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet"), "--logits"]
    assert main([*arguments, "--model", GOLDEN_MODELS["similarity"], *EXACT]) == 0
    assert _last_json(capsys.readouterr().out)["failed_rows"] == 0
    out = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for row, case in zip(out, cases, strict=True):
        assert json.loads(row["logits"]) == pytest.approx(case["logits"][0], abs=1e-4)


def test_labels_between_any_marks_and_what_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = openpyxl.Workbook()
    book.active.append(["说明"])
    for name in ("1月", "2月"):
        sheet = book.create_sheet(name)
        for record in (["text"], ["怎么查上个月的账单"], ["希望增加夜间配送"]):
            sheet.append(record)
    book.save(tmp_path / "in.xlsx")
    arguments = ["run", "zero-shot", str(tmp_path / "in.xlsx"), str(tmp_path / "out.jsonl")]
    options = ["--labels", "咨询、投诉；建议", "--model", GOLDEN_MODELS["zero_shot"], *EXACT]
    assert main([*arguments, *options]) == 2
    assert "--sheet 1月" in capsys.readouterr().err
    assert main([*arguments, *options, "--sheet", "2月"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [set(row["scores"]) for row in rows] == [{"咨询", "投诉", "建议"}] * 2
    (tmp_path / "in.csv").write_text('id;text\n1;"好;的"\n2\n', encoding="utf-8")
    arguments = ["run", "sentiment", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--delimiter", ";"]
    assert main([*arguments, "--model", GOLDEN_MODELS["sentiment"], *EXACT]) == 0
    captured = capsys.readouterr()
    assert "wenmo: in.csv has 1 rows with more or fewer cells than its header (line 3)" in captured.err
    assert _last_json(captured.out)["files"][0]["notices"]


def test_run_zero_shot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text('{"t": "世界那么大"}\n{"t": "球赛"}\n', encoding="utf-8")
    arguments = ["run", "zero-shot", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "--text", "t"]
    options = ["--labels", "旅游，体育", "--template", "关于{}", "--multi-label"]
    assert main([*arguments, *options, "--model", GOLDEN_MODELS["zero_shot"], *EXACT]) == 0
    assert _last_json(capsys.readouterr().out)["rows"] == 2
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    with Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS) as engine:
        expected = engine.zero_shot(["世界那么大", "球赛"], labels="旅游,体育", template="关于{}", multi_label=True)
    for row, result in zip(rows, expected, strict=True):
        assert row["scores"] == pytest.approx(dict(result.scores), abs=1e-6)


def test_errors_are_one_line_in_the_users_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "in.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    arguments = ["run", "sentiment", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert main(arguments) == 2
    english = capsys.readouterr().err
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(arguments) == 2
    chinese = capsys.readouterr().err
    assert english.startswith("wenmo: ")
    assert "text" in english
    assert "列" in chinese
    assert not (tmp_path / "out.csv").exists()
    assert main(["run", "zero-shot", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), "--text", "a"]) == 2
    assert "--labels" in capsys.readouterr().err


def test_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"text": ["好", "坏", "一般"], "label": [1, 0, 1]}), tmp_path / "file.parquet")
    arguments = ["eval", "sentiment", str(tmp_path / "file.parquet"), "--model", GOLDEN_MODELS["sentiment"]]
    assert main([*arguments, *EXACT, "--limit", "2"]) == 0
    report = _last_json(capsys.readouterr().out)
    assert {"task", "model", "n", "accuracy", "accuracy_interval", "macro_f1", "ece", "seconds"} < set(report)
    assert (report["task"], report["precision"], report["n"]) == ("sentiment", "fp32", 2)
    assert report["calibrated"] and report["against"] is None


def test_eval_tells_what_a_precision_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"text": ["好", "坏", "一般"], "label": [1, 0, 1]}), tmp_path / "file.parquet")
    arguments = ["eval", "sentiment", str(tmp_path / "file.parquet"), "--model", GOLDEN_MODELS["sentiment"]]
    assert main([*arguments, "--device", "cpu", "--precision", "int8", "--uncalibrated"]) == 0
    report = _last_json(capsys.readouterr().out)
    assert (report["precision"], report["calibrated"]) == ("int8", False)
    assert report["against"]["precision"] == "fp32" and 0 <= report["against"]["decisions_changed"] <= 1


def test_models_lists_what_is_bundled_and_known(tmp_path: Path) -> None:
    done = _wenmo("models", environment={"MODELSCOPE_CACHE": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    kinds = {entry["name"]: entry["kind"] for entry in _last_json(done.stdout)}
    assert kinds["wenmo-sentiment"] == "bundled"
    assert kinds["iic/nlp_structbert_zero-shot-classification_chinese-base"] == "known"


def test_models_pull_then_run(tmp_path: Path) -> None:
    model = "iic/nlp_structbert_sentiment-classification_chinese-base"
    with FakeHub(models={model: GOLDEN / "sentiment"}) as hub:
        environment = {
            "MODELSCOPE_CACHE": str(tmp_path / "cache"),
            "MODELSCOPE_HOME": str(tmp_path / "home"),
            "MODELSCOPE_ENDPOINT": hub.endpoint,
            "NO_PROXY": "127.0.0.1",
        }
        pulled = _wenmo("models", "pull", model, environment=environment)
        assert pulled.returncode == 0, pulled.stderr
        assert (Path(_last_json(pulled.stdout)["folder"]) / "vocab.txt").is_file()
        missing = _wenmo("models", "pull", "iic/no-such-model", environment=environment)
        assert (missing.returncode, "iic/no-such-model" in missing.stderr) == (2, True)
    # The hub is gone; what was pulled works.
    (tmp_path / "in.jsonl").write_text('{"text": "很好"}\n', encoding="utf-8")
    done = _wenmo(
        *("run", "sentiment", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "--model", model),
        environment=environment,
    )
    assert done.returncode == 0, done.stderr


def test_settings_that_cannot_be_read_are_an_error_of_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WENMO_PORT", "abc")
    (tmp_path / "in.jsonl").write_text('{"text": "好"}\n', encoding="utf-8")
    assert main(["run", "sentiment", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")]) == 2
    assert "WENMO_PORT" in capsys.readouterr().err


def test_a_console_without_chinese_loses_no_work(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "很好"}\n', encoding="utf-8")
    done = _wenmo(
        *("run", "sentiment", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")),
        *("--model", GOLDEN_MODELS["sentiment"], *EXACT),
        environment={"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert sum(_last_json(done.stdout)["label_counts"].values()) == 1


def test_wrong_usage_is_told_by_argparse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "poetry", "a", "b"])
    assert caught.value.code == 2
    assert "poetry" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_names_every_command_on_a_line_of_its_own(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
    else:
        assert main([]) == 0
    told = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["no-such-command"])
    commands = re.findall(r"'([a-z]+)'", capsys.readouterr().err.partition("choose from")[2])
    assert len(commands) >= 6
    assert [line.split()[0] for line in told.splitlines() if re.match(r"  [a-z]+  +", line)] == commands
    assert len(re.findall(r"^  wenmo [a-z]+", told, re.MULTILINE)) == 2  # the examples
    assert all(len(line) <= 80 for line in told.splitlines())


def test_version_and_help_load_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from wenmo.__main__ import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "finally:\n"
        "    print({'torch', 'pyarrow', 'pandas', 'streamlit', 'fastapi', 'transformers'} & set(sys.modules))\n"
    )
    for option, told in (("--version", f"wenmo {__version__}"), ("--help", "usage: wenmo COMMAND")):
        done = subprocess.run(
            [sys.executable, "-c", code, option], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(told) and done.stdout.endswith("set()\n")


def test_train_adapt_saves_a_model_that_run_takes_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENMO_MODELS_FOLDER", str(tmp_path / "models"))
    rows = tmp_path / "rows.csv"
    lines = [f"第{number}条{'好坏'[number % 2]},{'好评差评'[2 * (number % 2) :][:2]}" for number in range(40)]
    rows.write_text("\n".join(["说法,类别", *lines]) + "\n", encoding="utf-8")
    arguments = ["train", "adapt", str(rows), "--task", "sentiment", "--name", "mine", "--precision", "fp32"]
    options = ["--from", GOLDEN_MODELS["sentiment"], "--epochs", "1", "--device", "cpu", "--checkpointing"]
    assert main([*arguments, *options, "--text", "说法"]) == 0
    out = capsys.readouterr().out
    figures = _last_json(out)
    assert (figures["name"], figures["checkpointing"], sum(figures["test"].values())) == ("mine", True, 10)
    assert figures["before"]["n"] == figures["after"]["n"] == 10
    assert "held-out rows" in out
    assert main(["models"]) == 0
    listed = {entry["name"]: entry["kind"] for entry in _last_json(capsys.readouterr().out)}
    assert listed["mine"] == "local"
    arguments = ["run", "sentiment", str(rows), str(tmp_path / "out.csv"), "--text", "说法", "--model", "mine", *EXACT]
    assert main(arguments) == 0
    assert main(["train", "adapt", str(rows), "--task", "sentiment", "--name", "mine"]) == 2
    assert "already" in capsys.readouterr().err


def test_a_signal_to_end_leaves_no_half_written_model(tmp_path: Path) -> None:
    """SIGTERM unwinds, as an interruption from the keyboard does."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from wenmo import __main__\n"
        "from wenmo.cli import models\n"
        "from wenmo.models.local import new_model\n"
        "def command(options):\n"
        "    with new_model('mine', Path(sys.argv[1])) as folder:\n"
        "        (folder / 'half').write_text('')\n"
        "        print('begun', flush=True)\n"
        "        time.sleep(600)\n"
        "models.add_to = lambda commands: commands.add_parser('models').set_defaults(command=command)\n"
        "sys.exit(__main__.main(['models']))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None and process.stdout.readline().strip() == b"begun"
        assert [path.name for path in tmp_path.iterdir()] != []
        process.terminate()
        assert process.wait(WAIT_S) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
