"""Search, near-duplicates and groups by the engine: what is found, what is refused, what fails alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import LengthRuntime
from wenmo import Engine, ForwardError, Index, InputError
from wenmo.inference.runtime import OnBatch, PartialOutputError
from wenmo.tokenizer import Encoding

CORPUS = ["忘记密码怎么办", "怎么下载发票", "", "营业时间是几点", "忘记密码怎么办", " \n"]


def test_search_gives_both_scores(golden_engine: Engine) -> None:
    queries = ["密码忘了怎么找回", "  ", "发票在哪下载"]
    found = golden_engine.search(queries, CORPUS, top_k=3, rerank=4)
    assert found[1] == []
    for query, hits in zip(queries, found, strict=True):
        assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)
        judged = golden_engine.similarity([(query, CORPUS[hit.index]) for hit in hits])
        assert [hit.similarity for hit in hits] == pytest.approx([each.similarity for each in judged], abs=1e-6)
        near = golden_engine.cosine_similarity([(query, CORPUS[hit.index]) for hit in hits])
        assert [hit.cosine for hit in hits] == pytest.approx(near.tolist(), abs=2e-6)
    assert {hit.index for hit in found[0]} < {0, 1, 3, 4} and len(found[0]) == 3


def test_search_by_vectors_alone(golden_engine: Engine) -> None:
    (hits,) = golden_engine.search(["忘记密码怎么办"], CORPUS, top_k=50, rerank=0)
    assert [hit.index for hit in hits[:2]] == [0, 4] and hits[0].cosine == hits[1].cosine == 1.0
    assert {hit.index for hit in hits} == {0, 1, 3, 4} and {hit.similarity for hit in hits} == {None}


def test_search_in_little(golden_engine: Engine) -> None:
    assert golden_engine.search(["甲", ""], []) == [[], []]
    assert golden_engine.search(["甲"], ["", " "]) == [[]]
    assert golden_engine.search([], CORPUS) == []
    (only,) = golden_engine.search(["甲"], ["乙"], top_k=9)
    assert [hit.index for hit in only] == [0]


def test_search_of_many_in_one_entry(golden_models: dict[str, str]) -> None:
    fake_engine = Engine(device="cpu", models=golden_models, make_runtime=LengthRuntime)
    seen: list[tuple[int, int]] = []
    found = fake_engine.search(["题"] * 10_000, ["答"], rerank=0, progress=lambda done, of: seen.append((done, of)))
    assert len(found) == 10_000 and {hits[0].index for hits in found} == {0}
    assert seen == sorted(seen) and seen[-1] == (10_001, 10_001)


def test_search_refuses(golden_engine: Engine) -> None:
    for options in ({"top_k": 0}, {"top_k": True}, {"top_k": 1.5}, {"rerank": -1}):
        with pytest.raises(InputError, match=next(iter(options))):
            golden_engine.search(["甲"], CORPUS, **options)
    with pytest.raises(InputError, match="list of texts"):
        golden_engine.search("甲", CORPUS)
    with pytest.raises(InputError, match="not a string"):
        golden_engine.search(["甲"], ["乙", None])  # type: ignore[list-item]


def test_an_index_belongs_to_its_model(golden_engine: Engine, golden_models: dict[str, str], tmp_path: Path) -> None:
    index = golden_engine.build_index(CORPUS)
    index.save(tmp_path / "index")
    again = Index.open(tmp_path / "index")
    golden_engine.extend_index(again, ["开门时间"])
    (hits,) = golden_engine.search(["开门时间"], again, top_k=1, rerank=0)
    assert (hits[0].index, hits[0].cosine) == (6, 1.0)
    other = golden_engine.with_models({"embedding": golden_models["sentiment"]})
    for refused in (lambda: other.search(["甲"], again), lambda: other.extend_index(again, ["甲"])):
        with pytest.raises(InputError, match="another embedding model"):
            refused()
    copy = tmp_path / "copy"
    shutil.copytree(golden_models["embedding"], copy)
    assert golden_engine.with_models({"embedding": str(copy)}).search(["开门时间"], again, rerank=0)


def test_deduplicate_and_group(golden_engine: Engine) -> None:
    found = golden_engine.deduplicate(CORPUS, 1.0)
    assert found.kept == (0, 1, 2, 3, 5) and found.duplicate_of == (None, None, None, None, 0, None)
    assert found.cosines == (None, None, None, None, 1.0, None)
    groups = golden_engine.group(CORPUS, 1.0)
    assert [(each.representative, each.members, each.cosines) for each in groups] == [(0, (0, 4), (1.0, 1.0))]
    assert [each.members for each in golden_engine.group(CORPUS, 1.0, smallest=1)] == [(0, 4), (1,), (2,), (3,), (5,)]
    assert golden_engine.deduplicate([], 0.5).kept == () and golden_engine.group([]) == []
    for threshold in (0, -1, 1.01, float("nan"), "0.9", True):
        with pytest.raises(InputError, match="threshold"):
            golden_engine.deduplicate(CORPUS, threshold)  # type: ignore[arg-type]


def test_work_on_many_texts_can_be_stopped(golden_engine: Engine) -> None:
    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    for work in (golden_engine.deduplicate, golden_engine.group, golden_engine.build_index):
        with pytest.raises(KeyboardInterrupt):
            work(CORPUS, progress=stop)


def test_queries_that_fail_stand_alone(golden_models: dict[str, str]) -> None:
    class Fragile(LengthRuntime):
        def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
            output = super().vectors(encodings, on_batch=on_batch)
            failed: dict[int, Exception] = {
                index: MemoryError("full") for index, encoding in enumerate(encodings) if len(encoding) > 20
            }
            if failed:
                raise PartialOutputError(failed, output)
            return output

    with Engine(device="cpu", models=golden_models, make_runtime=Fragile) as engine:
        with pytest.raises(ForwardError) as error:
            engine.search(["短", "长" * 30, "短短"], ["甲", "乙乙"], rerank=0)
        assert list(error.value.failed) == [1]
        assert [each and len(each) for each in error.value.results] == [2, None, 2]
        with pytest.raises(ForwardError) as error:
            engine.build_index(["短", "", "长" * 30])
        assert list(error.value.failed) == [2]
