"""An index on disk: what is kept, what is refused, and what two writers do to each other."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.unit.search.test_nearest import plain, unit
from wenmo.errors import InputError
from wenmo.search import Index, index
from wenmo.search.graph import Graph

TEXTS = ["甲", "乙\n", "\ud800", "  ", "", "甲"]


def made(texts: list[str] = TEXTS, **options: int) -> Index:
    vectors = unit(len(texts))
    vectors[[not text.strip() for text in texts]] = 0
    new = Index(model="m", hidden_size=vectors.shape[1], **options)
    new.add(texts, vectors)
    return new


def test_saved_opened_and_grown(tmp_path: Path) -> None:
    first = made()
    first.save(tmp_path / "index")
    again = Index.open(tmp_path / "index")
    assert list(again.texts) == TEXTS and len(again) == 6 and again.model == "m" and again.is_exact
    assert np.array_equal(again.vectors, made().vectors)
    again.add(["丙"], unit(1, seed=7))
    once_more = Index.open(tmp_path / "index")
    assert list(once_more.texts) == [*TEXTS, "丙"]
    found, cosines = once_more.nearest(unit(1, seed=7), 9)
    assert found[0, 0] == 6 and cosines[0, 0] == 1.0
    assert sorted(found[0].tolist()) == [-1, -1, -1, 0, 1, 5, 6]  # no blank one, nor a lone surrogate


def test_an_empty_index(tmp_path: Path) -> None:
    Index(model="m", hidden_size=24).save(tmp_path / "index")
    empty = Index.open(tmp_path / "index")
    assert empty.nearest(unit(3), 5)[0].shape == (3, 0)
    empty.add(["甲"], unit(1))
    assert Index.open(tmp_path / "index").nearest(unit(1), 5)[0].tolist() == [[0]]


def test_a_copy_for_another_process(tmp_path: Path) -> None:
    index = made()
    index.save(tmp_path / "index")
    copy = pickle.loads(pickle.dumps(index))
    copy.add(["丙"], unit(1, seed=7))
    assert list(copy.texts) == [*TEXTS, "丙"] and copy.folder is None and copy.model == "m"
    assert len(Index.open(tmp_path / "index")) == len(TEXTS)


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        Index.open(folder)
    assert any("\u4e00" <= character <= "\u9fff" for character in error.value.zh)
    return str(error.value)


def test_what_is_no_index(tmp_path: Path) -> None:
    assert "no index" in refused(tmp_path / "nowhere")
    made().save(tmp_path / "index")
    with pytest.raises(InputError, match="not empty"):
        made().save(tmp_path / "index")
    meta = tmp_path / "index" / "index.json"
    good = meta.read_text()
    meta.write_text(json.dumps({**json.loads(good), "format": 99}))
    assert "another format" in refused(tmp_path / "index")
    for broken in ("", "{}", "[]", good.replace('"rows": 6', '"rows": 7')):
        meta.write_text(broken)
        assert "damaged" in refused(tmp_path / "index")
    with pytest.raises(InputError, match="24"):
        made().add(["甲"], unit(1, size=23))


@pytest.mark.parametrize("name", ["vectors.f32", "texts.jsonl"])
def test_damage(tmp_path: Path, name: str) -> None:
    made().save(tmp_path / "index")
    path = tmp_path / "index" / name
    good = path.read_bytes()
    for bad in (good[:-1], good[:5] + bytes([good[5] ^ 1]) + good[6:]):
        path.write_bytes(bad)
        assert "damaged" in refused(tmp_path / "index")
    path.unlink()
    assert "damaged" in refused(tmp_path / "index")
    path.write_bytes(good + b"left by a writer that died")
    grown = Index.open(tmp_path / "index")
    grown.add(["丁"], unit(1, seed=9))
    assert list(Index.open(tmp_path / "index").texts) == [*TEXTS, "丁"]


def test_two_writers(tmp_path: Path) -> None:
    made().save(tmp_path / "index")
    one, other = Index.open(tmp_path / "index"), Index.open(tmp_path / "index")
    one.add(["一"], unit(1, seed=1))
    with pytest.raises(InputError, match="changed"):
        other.add(["二"], unit(1, seed=2))
    assert list(Index.open(tmp_path / "index").texts) == [*TEXTS, "一"] and len(other) == 6
    with index._locked(tmp_path / "index"), pytest.raises(InputError, match="is writing"):
        one.add(["三"], unit(1, seed=3))
    one.add(["三"], unit(1, seed=3))
    assert len(Index.open(tmp_path / "index")) == 8


def test_approximate_search(tmp_path: Path) -> None:
    vectors, queries = unit(3_000), unit(50, seed=1)
    texts = [str(row) for row in range(3_000)]
    texts[7] = " "
    large = Index(model="m", hidden_size=24, exact_rows=100)
    large.add(texts, vectors)
    assert not large.is_exact
    large.save(tmp_path / "index")
    indices, cosines = large.nearest(queries, 10)
    true = plain(queries, vectors, 10)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(indices, true, strict=True)]) > 9.5
    assert np.allclose(cosines, np.take_along_axis(queries @ vectors.T, indices, 1), atol=1e-6)
    assert (np.diff(cosines) <= 0).all() and 7 not in indices

    assert (tmp_path / "index" / "graph.faiss").exists()
    again = Index.open(tmp_path / "index", exact_rows=100)
    assert np.array_equal(again.nearest(queries, 10)[0], indices)
    again.add(["新"], queries[:1])  # the graph grows, too
    assert again.nearest(queries[:1], 1)[0].tolist() == [[3_000]]
    (tmp_path / "index" / "graph.faiss").write_bytes(b"no graph")
    assert Graph.open(tmp_path / "index" / "graph.faiss", 24, np.ones(3_001, dtype=bool)) is None
    once_more = Index.open(tmp_path / "index", exact_rows=100)
    assert once_more.nearest(queries[:1], 1)[0].tolist() == [[3_000]]
