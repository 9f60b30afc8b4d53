"""Every page in each of its modes, in both languages: what is typed is asked of the bundled models, and what they
answer is on the page, in numbers that are written down (tests/bundled_answers.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests import bundled_answers as bundled
from tests.bundled_answers import COSINE, POSITIVE, SIMILARITY, TOLERANCE
from tests.pages.conftest import OpenPage, shown
from tests.waiting import until
from wenmo.ui.shell.runtime import get_engine, get_file_jobs, get_metrics
from wenmo.ui.similarity import ranking
from wenmo.ui.text import TEXTS

TITLES = {
    "home": ("文墨共鸣", "Wenmo"),
    "similarity": ("句子相似度", "Similarity"),
    "sentiment": ("情感倾向", "Sentiment"),
    "zero_shot": ("零样本分类", "Zero-shot"),
    "batch": ("批量", "Batch"),
    "memory": ("显存", "Memory"),
    "throughput": ("吞吐", "Throughput"),
    "models": ("模型", "Models"),
    "adapt": ("微调", "Adapt"),
    "service": ("服务", "Service"),
}
STEPS = (
    ("优化之前的代价", "What it cost before"),
    ("改了什么", "What was changed"),
    ("省下的显存", "Memory saved"),
    ("省下的时间", "Time saved"),
    ("省下的钱", "Money saved"),
    ("准确率保住了", "Accuracy kept"),
)
LABELS = {"zh": ("负面", "正面"), "en": ("negative", "positive")}  # of the sentiment model, by the page's language

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _bundled_models(_golden_weights: None, golden_models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for task in golden_models:
        monkeypatch.delenv(f"WENMO_{task.upper()}_MODEL")


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(open_page: OpenPage, language: str) -> Open:
    """A page in the language, run once more with what is given for the session: its mode, what stands in fields."""

    def open_(name: str, **state: object) -> AppTest:
        app = open_page(name)
        for key, value in {"lang": language, **state}.items():
            app.session_state[key] = value
        app.run()
        assert not app.exception and not app.error
        if name in TITLES:
            assert app.title[0].value == TITLES[name][language == "en"]
        return app

    return open_


def percents(app: AppTest) -> list[float]:
    """The probabilities that the page shows large."""
    return [float(each.value[:-1]) / 100 for each in app.main.metric if re.fullmatch(r"[\d.]+%", str(each.value))]


def says(app: AppTest, *numbers: int) -> bool:
    """Whether all of them stand in one line of the page."""
    return any({str(number) for number in numbers} <= set(re.findall(r"\d+", line)) for line in shown(app).splitlines())


def chart(app: AppTest, place: int = 0) -> dict[str, Any]:
    figure: dict[str, Any] = json.loads(app.get("plotly_chart")[place].proto.spec)
    return figure


def column(app: AppTest, index: int, *, table: int = 0) -> list[Any]:
    cells: list[Any] = app.dataframe[table].value.iloc[:, index].tolist()
    return cells


def near(values: Sequence[float], *, of: float = 1.0) -> Any:
    return pytest.approx(list(values), abs=TOLERANCE * of)


def likeness(first: str, second: str, table: dict[tuple[str, str], float] = SIMILARITY) -> float:
    return table[first, second] if (first, second) in table else table[second, first]


def of_positive(value: float, language: str) -> str:
    return LABELS[language][value >= 0.5]


@pytest.mark.parametrize("page", ["home", "similarity"])
def test_a_pair(opened: Open, page: str) -> None:
    first, second = bundled.PAIR
    app = opened(page, pair_first=first, pair_second=second)
    assert percents(app) == near([SIMILARITY[bundled.PAIR]])
    (cosine,) = re.findall(r"\d\.\d{3}", shown(app).replace("\\", ""))
    assert float(cosine) == pytest.approx(COSINE[bundled.PAIR], abs=TOLERANCE)
    if page == "home":
        assert [link.proto.page for link in app.main.get("page_link")] == ["compare", "mood", "labels"]


def test_one_against_many(opened: Open) -> None:
    candidates = bundled.CANDIDATES
    app = opened("similarity", mode="ranking", ranking_query=bundled.QUERY, ranking_candidates="\n\n".join(candidates))
    ranked = sorted(candidates, key=lambda each: -SIMILARITY[bundled.QUERY, each])
    assert ranked != list(candidates)
    assert column(app, 0) == ranked
    assert column(app, 1) == near([100 * SIMILARITY[bundled.QUERY, each] for each in ranked], of=100)
    assert column(app, 2) == near([COSINE[bundled.QUERY, each] for each in ranked])


def test_a_matrix(opened: Open) -> None:
    """Each cell; like beside like; 4 sentences make 10 pairs, each with itself among them."""
    sentences = bundled.SENTENCES
    app = opened("similarity", mode="matrix", matrix_sentences="\n".join(sentences), matrix_measure="probability")
    figure = chart(app)
    order = [int(tick.split()[0]) - 1 for tick in figure["layout"]["yaxis"]["ticktext"]]
    assert sorted(order) == [0, 1, 2, 3] and abs(order.index(0) - order.index(2)) == 1  # of the same meaning
    cells = [float(text) for text in figure["data"][1]["text"]]
    expected = [likeness(sentences[row], sentences[line]) for row in order for line in order]
    assert cells == pytest.approx(expected, abs=0.005 + TOLERANCE)  # two decimals
    assert says(app, 10)


def test_near_duplicates_at_a_threshold(opened: Open) -> None:
    """By vectors, the first sentence twice: nothing else is quite alike, and everything is a bit alike."""
    sentences = [*bundled.SENTENCES, bundled.SENTENCES[0]]
    lowest = min(COSINE[first, second] for first, second in COSINE if {first, second} <= set(sentences))
    for threshold, lines, weakest in ((1.0, [1, 5], 1.0), (0.05, [1, 2, 3, 4, 5], lowest)):
        state = {"matrix_measure": "cosine", "matrix_threshold_cosine": threshold}
        app = opened("similarity", mode="matrix", matrix_sentences="\n".join(sentences), **state)
        assert sorted(column(app, 2)) == lines and set(column(app, 0)) == {1}
        assert column(app, 3) == near([weakest] * len(lines))
        assert len(chart(app)["layout"]["shapes"]) == 1


def test_moving_the_threshold_asks_nothing_again(open_page: OpenPage) -> None:
    app = open_page("similarity")
    for key, value in {"mode": "matrix", "matrix_sentences": "\n".join(bundled.SENTENCES)}.items():
        app.session_state[key] = value
    app.run()
    kept = app.session_state["answer.matrix"]
    app.slider(key="matrix_threshold_probability").set_value(0.3).run()
    assert not app.exception and app.session_state["answer.matrix"] is kept


@pytest.mark.parametrize("text", [bundled.TERRIBLE, bundled.GLAD])
def test_one_mood(opened: Open, language: str, text: str) -> None:
    positive = POSITIVE[text]
    app = opened("sentiment", sentiment_texts=text)
    assert percents(app) == near([positive])
    assert of_positive(positive, language) in shown(app)


def test_many_moods(opened: Open, language: str) -> None:
    positives = [POSITIVE[text] for text in bundled.REVIEWS]
    app = opened("sentiment", sentiment_texts="\n".join(bundled.REVIEWS))
    assert column(app, 2) == list(bundled.REVIEWS)
    assert column(app, 3) == [of_positive(value, language) for value in positives]
    assert column(app, 1) == near([100 * value for value in positives], of=100)
    glad, angry = sum(value > 0.6 for value in positives), sum(value < 0.4 for value in positives)
    summary = f"😄 {glad} 条，😐 {4 - glad - angry} 条，😠 {angry} 条"
    assert (summary if language == "zh" else summary.replace(" 条，", ", ").removesuffix(" 条")) in shown(app)


def test_a_long_review_by_sentence(opened: Open) -> None:
    """The whole's verdict stays that of the whole text; each character lies on the ink of its sentence."""
    app = opened("sentiment", sentiment_texts=bundled.LONG_REVIEW)
    parts = [POSITIVE[sentence] for sentence in bundled.SENTENCES_OF_A_REVIEW]
    assert percents(app)[0] == pytest.approx(POSITIVE[bundled.LONG_REVIEW], abs=TOLERANCE)
    assert column(app, 2) == list(bundled.SENTENCES_OF_A_REVIEW)
    assert column(app, 1) == near([100 * part for part in parts], of=100)
    ink = [2 * part - 1 for part, of in zip(parts, bundled.SENTENCES_OF_A_REVIEW, strict=True) for _ in of]
    assert chart(app)["data"][0]["marker"]["color"] == near(ink, of=2)


def test_an_aspect_has_the_mood_of_the_sentences_that_mention_it(opened: Open) -> None:
    fast, slow, price = (POSITIVE[sentence] for sentence in bundled.ABOUT_ASPECTS)
    text = "快递很快。味道一般\n物流太慢！=价格\n好"
    app = opened("sentiment", sentiment_texts=text, sentiment_aspects="物流/快递，=价格，颜色")
    assert column(app, 0, table=1) == ["物流/快递", "=价格", "颜色"]
    assert column(app, 2, table=1) == [2, 1, 0]
    means = column(app, 1, table=1)
    assert means[:2] == near([50 * (fast + slow), 100 * price], of=100)
    assert means[2] != means[2]  # nothing mentions it: no mean, not 0


def test_two_products(opened: Open) -> None:
    first, second = bundled.PRODUCTS
    products = {"products_first": "\n".join(first), "products_second": "\n".join(second)}
    names = {"products_first_name": "<b>一号</b>", "products_second_name": "二号"}
    app = opened("sentiment", view="compare", **products, **names)
    labels = {metric.label.replace("\\", "").rpartition(" · ")[0] for metric in app.main.metric}
    assert labels == set(names.values())
    assert set(column(app, 0)) == set(names.values())
    assert percents(app) == near(bundled.MEANS)
    (told,) = re.findall(r"([+-]\d+\.\d).*?([+-]\d+\.\d).*?([+-]\d+\.\d)", shown(app))
    assert [float(value) for value in told] == pytest.approx(bundled.DIFFERENCE, abs=0.2)
    assert [sum(bar["y"]) for bar in chart(app)["data"]] == pytest.approx([1, 1])  # shares of each product's reviews
    assert column(app, 2) == [*first, *second]


def test_none_of_many_fits(open_page: OpenPage) -> None:
    """The answer stands first, also where it is that there is none."""
    none = TEXTS["similarity.ranking_none"].zh
    for least, expected in ((0.0, False), (1.1, True)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranking, "_FITTING", least)
            app = open_page("similarity")
            for key, value in {
                "mode": "ranking",
                "ranking_query": bundled.QUERY,
                "ranking_candidates": "\n".join(bundled.CANDIDATES),
            }.items():
                app.session_state[key] = value
            app.run()
            assert not app.exception
            assert (none in shown(app)) is expected
            best = max(bundled.CANDIDATES, key=lambda each: SIMILARITY[bundled.QUERY, each])
            assert any(best in text.value for text in app.main.text) is not expected


def test_of_many_labels_those_are_drawn_that_are_seen(opened: Open) -> None:
    labels = [f"标签{number}" for number in range(54)]
    app = opened("zero_shot", zero_shot_texts=bundled.BILL, zero_shot_labels=labels)
    (bars,) = chart(app)["data"]
    answered = app.session_state["answer.zero_shot"][1][0][0].scores
    seen = [name for name, score in answered.items() if score >= 0.01][:12]
    assert list(bars["customdata"]) == (seen if len(seen) >= 3 else list(answered)[:3])
    assert len(column(app, 0)) == 54  # folded


@pytest.mark.parametrize("method", ["nli", "embedding"])
def test_labels_are_typed(opened: Open, method: str) -> None:
    scores = bundled.INTENTS_OF_BILL[method]
    app = opened(
        "zero_shot",
        zero_shot_texts=bundled.BILL,
        zero_shot_labels=list(bundled.INTENTS),
        zero_shot_template=bundled.INTENT_TEMPLATE,
        zero_shot_method=method,
    )
    (label, score), *_ = re.findall(r"^(\S+)  ([\d.]+)%$", shown(app), re.MULTILINE)
    assert label == max(scores, key=lambda name: scores[name])
    assert float(score) / 100 == pytest.approx(scores[label], abs=TOLERANCE)
    assert bundled.INTENT_TEMPLATE.format(bundled.INTENTS[0]) in shown(app)  # the preview
    (bars,) = chart(app)["data"]
    assert dict(zip(bars["customdata"], bars["x"], strict=True)) == pytest.approx(scores, abs=TOLERANCE)


def test_several_labels_hold_at_a_threshold(opened: Open) -> None:
    scores = bundled.TOPICS_OF_DOG
    for threshold in (0.05, 0.5, 0.95):
        app = opened(
            "zero_shot",
            zero_shot_texts=bundled.DOG,
            zero_shot_labels=list(bundled.TOPICS),
            zero_shot_multi_label=True,
            zero_shot_threshold=threshold,
        )
        told = re.findall(r"(\S+)  ([\d.]+)%", shown(app))
        assert {name: float(score) / 100 for name, score in told} == pytest.approx(
            {name: score for name, score in scores.items() if score >= threshold}, abs=TOLERANCE
        )
        (line,) = chart(app)["layout"]["shapes"]
        assert line["x0"] == threshold


def test_a_shortlist(opened: Open) -> None:
    """Twelve labels, of which ten are judged; texts with different shortlists have no map in common."""
    app = opened(
        "zero_shot",
        zero_shot_texts="\n".join(bundled.HEADLINES),
        zero_shot_labels=list(bundled.SECTIONS),
        zero_shot_method="two_stage",
    )
    expected = [bundled.SHORTLISTED[text] for text in bundled.HEADLINES]
    assert column(app, 0) == [label for label, _ in expected]
    assert column(app, 1) == near([100 * score for _, score in expected], of=100)
    (answers, _) = app.session_state["answer.zero_shot"][1]
    assert [len(answer.scores) for answer in answers] == [10, 10]
    assert not app.get("plotly_chart")


def test_known_labels_behind_a_tab_make_a_confusion_matrix(opened: Open) -> None:
    lines = [text if known is None else f"{text}\t{known}" for text, known in bundled.NEWS]
    app = opened("zero_shot", zero_shot_texts="\n".join(lines), zero_shot_labels=["体育", "科技"])
    scores = bundled.SECTIONS_OF_NEWS
    given = {text: max(found, key=lambda name, found=found: found[name]) for text, found in scores.items()}
    assert column(app, 0) == list(given.values()) and column(app, 2) == list(given)
    judged = [(known, given[text]) for text, known in bundled.NEWS if known is not None]
    right = sum(known == label for known, label in judged)
    assert says(app, right, 3)
    counts = [judged.count((known, label)) for known in ("体育", "科技") for label in ("体育", "科技")]
    assert chart(app, 1)["data"][1]["text"] == [str(count) for count in counts]
    best = sorted(((label, scores[text][label]) for text, label in given.items()), key=lambda each: (each[0], -each[1]))
    assert column(app, 0, table=1) == [label for label, _ in best]
    assert column(app, 1, table=1) == near([100 * score for _, score in best], of=100)


def test_a_file_is_read_row_by_row(opened: Open) -> None:
    """The sample: a hundred reviews with labels."""
    app = opened("batch")
    app.button(key="batch_sample").click().run()
    assert not app.exception and not app.error
    app.button(key="batch_start").click().run()
    job = get_file_jobs().get(app.session_state["batch_job"])
    assert job is not None
    until(lambda: job.status().state not in ("waiting", "running"))
    app.run()
    values = [metric.value for metric in app.main.metric]
    assert {"100", "0"} <= set(values)  # rows, and those that failed
    app.selectbox(key="batch_truth").select("情绪").run()
    assert not app.exception
    assert says(app, bundled.SAMPLE_RIGHT, 100)


def test_memory_live(opened: Open) -> None:
    app = opened("memory", mode="live")
    resident, *_ = [metric.value for metric in app.main.metric]
    assert 50 < float(resident.removesuffix(" MiB").replace(",", "")) < 100_000
    assert [each for each in app.get("html") if each.proto.body.startswith("<figure")]


@pytest.mark.parametrize("preset", ["card", "article"])
def test_memory_lab(opened: Open, preset: str) -> None:
    app = opened("memory", mode="lab", preset=preset)
    (start,) = [each for each in app.button if each.proto.is_form_submitter]
    assert not start.disabled and not app.get("plotly_chart")  # nothing is computed before it is asked for


def test_throughput(opened: Open) -> None:
    for source, ready in (("samples", True), ("file", False)):
        app = opened("throughput", source=source)
        assert app.button(key="throughput_start").disabled is not ready
        assert bool(app.file_uploader) is not ready


def test_story(opened: Open, language: str) -> None:
    app = opened("story")
    for number, titles in enumerate(STEPS, start=1):
        (body,) = [each.proto.body for each in app.get("html") if "<section" in each.proto.body]
        assert titles[language == "en"] in body
        assert f"{number} / 6" in [text.value for text in app.text]
        assert app.button(key="story_on").disabled is (number == 6)
        if number < 6:
            app.button(key="story_on").click().run()
            assert not app.exception


def test_models_that_are_here(opened: Open) -> None:
    """Four that are bundled, fourteen of the hub; what the selected one has."""
    app = opened("models", view="here")
    assert len(column(app, 0)) == 4 + 14
    for task, millions in bundled.PARAMETERS_M.items():
        app.selectbox(key="models_details").select(f"wenmo-{task.replace('_', '-')}").run()
        assert f"{millions} M" in [metric.value for metric in app.main.metric]


def test_models_to_be_pulled(opened: Open) -> None:
    app = opened("models", view="pull")
    assert len(app.selectbox(key="models_hub").options) == 14
    assert re.search(r"[\d,.]+ GiB", shown(app)) and not app.button(key="models_pull").disabled


def test_models_side_by_side(opened: Open) -> None:
    """fp32 and fp16: the same answer to three decimals, in half the memory."""
    app = opened("models", view="compare", compare_precision_1="fp16", compare_sentiment_texts=bundled.COMPARED)
    positive = POSITIVE[bundled.COMPARED]
    assert percents(app) == near([max(positive, 1 - positive)] * 2)
    weights = column(app, 2)
    assert weights[1] == pytest.approx(weights[0] / 2, rel=0.05)
    assert set(column(app, 3)) == {f"{bundled.PARAMETERS_M['sentiment']} M"}


def test_adapt(opened: Open, language: str) -> None:
    app = opened("adapt")
    app.button(key="adapt_sample_button").click().run()
    assert not app.exception and not app.error
    assert column(app, 1) == list(reversed(LABELS[language]))
    assert column(app, 2) == [30, 30]
    assert not app.button(key="adapt_start").disabled


def test_service(opened: Open) -> None:
    get_metrics.cache_clear()
    app = opened("service")
    assert any("/v1/sentiment" in str(option) for option in app.selectbox(key="service_route").options)
    app.button(key="service_send").click().run()
    app.run()
    assert not app.exception and not app.error
    assert get_engine().scheduler_statistics()["sentiment"].calls == 1
    assert len(app.get("plotly_chart")) == 1  # forwards by size: there has been one


def test_the_sidebar_says_what_is_in_use_and_why(opened: Open, language: str) -> None:
    app = opened("home")
    sidebar = [str(element.value) for element in [*app.sidebar.text, *app.sidebar.caption]]
    assert {"cpu", "fp32", "wenmo-similarity", "wenmo-sentiment", "wenmo-zero-shot", "wenmo-embedding"} <= set(sidebar)
    (line,) = [each for each in sidebar if each.startswith("cpu · fp32 · ")]  # all that is not folded
    assert line.endswith("MiB") and not app.sidebar.expander[0].proto.expanded
    assert any(("按设置" if language == "zh" else "as asked") in line for line in sidebar)
    assert any("MiB" in metric.value for metric in app.sidebar.metric)
