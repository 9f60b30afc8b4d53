"""Each page: what is typed is what the engine is asked, and what it answers is shown."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, shown, submit
from wenmo import Engine
from wenmo.tasks.clusters import cluster, near_duplicates
from wenmo.tasks.embedding import cosines
from wenmo.tasks.reviews import difference
from wenmo.ui.sentiment.examples import PRODUCTS, REVIEWS
from wenmo.ui.shell import answers
from wenmo.ui.shell.inputs import MAX_CROSS_ENCODED, MAX_MATRIX
from wenmo.ui.shell.pair import PAIRS
from wenmo.ui.similarity.examples import MATRICES, RANKINGS
from wenmo.ui.text import TEXTS
from wenmo.ui.zero_shot.examples import LABELS

ODD_TEXTS = [
    "好",
    "长" * 100_000,
    "😋👨‍👩‍👧",
    "\x00\x07\u200b",
    "<script>alert('墨')</script><b>粗</b>",
    "# 标题 **粗** [链](javascript:0) $x^2$ :red[x] :material/home:",
    "=1+1",
]


PAGES = ["home", "similarity", "sentiment", "zero_shot", "service", "memory", "adapt", "batch"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_in_both_languages(open_page: OpenPage, name: str) -> None:
    app = open_page(name)
    assert TEXTS[f"app.{name}" if name != "home" else "app.name"].zh in shown(app)
    app.session_state["lang"] = "en"
    app.run()
    assert not app.exception
    assert TEXTS[f"app.{name}" if name != "home" else "app.name"].en in shown(app)


@pytest.mark.parametrize("page", ["home", "similarity"])
def test_a_pair_is_compared(open_page: OpenPage, golden_engine: Engine, page: str) -> None:
    app = open_page(page)
    app.text_input(key="pair_first").input("今天天气真好")
    app.text_input(key="pair_second").input("天气不错")
    submit(app)
    expected = golden_engine.similarity([("今天天气真好", "天气不错")])[0].similarity
    cosine = float(golden_engine.cosine_similarity([("今天天气真好", "天气不错")])[0])
    values = [metric.value for metric in app.metric]
    assert f"{expected:.1%}" in values
    assert f"{cosine:.3f}" in values


def test_an_empty_form_says_what_to_do(open_page: OpenPage) -> None:
    app = submit(open_page("similarity"))
    assert TEXTS["similarity.pair_empty"].zh in shown(app)
    assert not app.error
    assert TEXTS["sentiment.empty"].zh in shown(submit(open_page("sentiment")))
    assert TEXTS["zero_shot.empty"].zh in shown(submit(open_page("zero_shot")))


def test_one_against_many_is_ranked(open_page: OpenPage, golden_engine: Engine) -> None:
    app = open_page("similarity")
    app.session_state["mode"] = "ranking"
    app.run()
    app.text_input(key="ranking_query").input("密码忘了怎么办")
    candidates = ["怎样找回密码", "发票可以补开吗", "天气不错"]
    app.text_area(key="ranking_candidates").input("\n\n".join(candidates))
    submit(app)
    results = golden_engine.similarity([("密码忘了怎么办", candidate) for candidate in candidates])
    expected = sorted(zip(candidates, results, strict=True), key=lambda pair: -pair[1].similarity)
    table = app.dataframe[0].value
    assert table.iloc[:, 0].tolist() == [candidate for candidate, _ in expected]
    percent = [100 * result.similarity for _, result in expected]
    assert table.iloc[:, 1].tolist() == pytest.approx(percent, abs=1e-4)


def _matrix(open_page: OpenPage, sentences: list[str], **state: object) -> AppTest:
    app = open_page("similarity")
    app.session_state["mode"] = "matrix"
    app.run()
    for key, value in state.items():
        app.session_state[key] = value
    app.text_area(key="matrix_sentences").input("\n".join(sentences))
    return submit(app)


def test_a_matrix_is_drawn(open_page: OpenPage, golden_engine: Engine) -> None:
    """Like beside like, and what is typed is shown literally."""
    sentences = ["快递几天到", "<b>怎么</b>退货", "天气不错"]
    app = _matrix(open_page, sentences)
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    ticks = figure["layout"]["yaxis"]["ticktext"]
    order = [int(tick.split()[0]) - 1 for tick in ticks]
    assert "&lt;b&gt;怎么&lt;/b&gt;退货" in ticks[order.index(1)]  # Plotly would make it bold
    scores = np.empty((3, 3))
    for row in range(3):
        for column in range(row, 3):
            result = golden_engine.similarity([(sentences[row], sentences[column])])[0]
            scores[row, column] = scores[column, row] = result.similarity
    assert tuple(order) == cluster(scores).order
    assert figure["data"][1]["text"] == [f"{scores[row, column]:.2f}" for row in order for column in order]


def test_near_duplicates_are_grouped_at_the_threshold_without_asking_again(
    open_page: OpenPage, golden_engine: Engine
) -> None:
    sentences = ["快递几天到", "天气不错", "快递几天到", "怎么退货"]
    app = _matrix(open_page, sentences, matrix_measure="cosine")
    vectors = golden_engine.embed(sentences)
    values = cosines(vectors, vectors)
    kept = app.session_state["answer.matrix"]
    for threshold in (1.0, 0.5):
        app.slider(key="matrix_threshold_cosine").set_value(threshold).run()
        assert not app.exception
        groups = near_duplicates(values, cluster(values), threshold)
        table = app.dataframe[0].value
        assert table.iloc[:, 2].tolist() == [member + 1 for group in groups for member in group.members]
        assert table.iloc[:, 0].tolist() == [number for number, group in enumerate(groups, 1) for _ in group.members]
        outlines = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["shapes"]
        assert len(outlines) == len(groups)
    assert app.session_state["answer.matrix"] is kept


def test_many_sentences_go_by_vectors_unless_asked_otherwise(open_page: OpenPage) -> None:
    sentences = [f"第{number}句" for number in range(MAX_CROSS_ENCODED + 1)]
    assert TEXTS["similarity.matrix_note.cosine"].zh[-7:] in shown(_matrix(open_page, sentences))
    fewer = shown(_matrix(open_page, sentences[:3]))
    assert TEXTS["similarity.matrix_note.probability"].zh[:6] in fewer and " 6 对" in fewer
    too_many = _matrix(open_page, [f"第{number}句" for number in range(MAX_MATRIX + 1)])
    assert str(MAX_MATRIX + 1) in too_many.error[0].value


@pytest.mark.parametrize("text", ["这部电影太烂了", "今天天气真好，心情特别棒"])
def test_one_mood(open_page: OpenPage, golden_engine: Engine, text: str) -> None:
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input(text)
    submit(app)
    (result,) = golden_engine.sentiment([text])
    values = [metric.value for metric in app.metric]
    assert f"{result.score:.1%}" in values
    assert f"{result.positive:.1%}" in values
    assert result.label in shown(app)


def test_many_moods(open_page: OpenPage, golden_engine: Engine) -> None:
    texts = ["很好", "=HYPERLINK(1)", "太差了", "一般"]
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("\n".join(texts))
    submit(app)
    table = app.dataframe[0].value
    results = golden_engine.sentiment(texts)
    assert table.iloc[:, 2].tolist() == texts
    assert table.iloc[:, 3].tolist() == [result.label for result in results]
    assert table.iloc[:, 1].tolist() == pytest.approx([100 * result.positive for result in results], abs=1e-4)


def test_a_long_review_is_read_by_sentence_too(open_page: OpenPage, golden_engine: Engine) -> None:
    """The whole's verdict stays that of the whole text; each character lies on the ink of its sentence."""
    text = "环境雅致。上菜太慢！ <b>还行</b>"
    sentences = ["环境雅致。", "上菜太慢！", "<b>还行</b>"]
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input(text)
    submit(app)
    whole, *parts = golden_engine.sentiment([text, *sentences])
    assert f"{whole.positive:.1%}" in [metric.value for metric in app.metric]
    table = app.dataframe[0].value
    assert table.iloc[:, 2].tolist() == sentences
    assert table.iloc[:, 1].tolist() == pytest.approx([100 * part.positive for part in parts], abs=1e-4)
    (trace,) = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    weights = [2 * part.positive - 1 for part, of in zip(parts, sentences, strict=True) for _ in of]
    assert trace["marker"]["color"] == pytest.approx(weights, abs=1e-5)


def test_an_aspect_has_the_mood_of_the_sentences_that_mention_it(open_page: OpenPage, golden_engine: Engine) -> None:
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("快递很快。味道一般\n物流太慢！=价格\n好")
    app.text_input(key="sentiment_aspects").input("物流/快递，=价格，颜色")
    submit(app)
    fast, slow, price = (result.positive for result in golden_engine.sentiment(["快递很快。", "物流太慢！", "=价格"]))
    table = app.dataframe[1].value
    assert table.iloc[:, 0].tolist() == ["物流/快递", "=价格", "颜色"]
    assert table.iloc[:, 2].tolist() == [2, 1, 0]
    means = table.iloc[:, 1].tolist()
    assert means[:2] == pytest.approx([50 * (fast + slow), 100 * price], abs=1e-4)
    assert np.isnan(means[2])  # nothing mentions it: no mean, not 0


def test_two_products_are_compared(open_page: OpenPage, golden_engine: Engine) -> None:
    first, second = [f"好{number}" for number in range(6)], [f"差{number}" for number in range(8)]
    app = open_page("sentiment")
    app.session_state["view"] = "compare"
    app.run()
    app.text_area(key="products_first").input("\n".join(first))
    app.text_area(key="products_second").input("\n".join(second))
    submit(app)
    sides = [[result.positive for result in golden_engine.sentiment(texts)] for texts in (first, second)]
    assert {f"{np.mean(side):.1%}" for side in sides} <= {metric.value for metric in app.metric}
    found = difference(*sides)
    assert found.interval is not None
    assert f"{100 * found.value:+.1f}" in shown(app) and f"{100 * found.interval[0]:+.1f}" in shown(app)
    bars = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    assert [sum(bar["y"]) for bar in bars] == pytest.approx([1, 1])
    app.text_area(key="products_second").input("好")
    submit(app)
    assert TEXTS["sentiment.verdict.few"].zh[-7:] in shown(app)


def test_labels_are_typed(open_page: OpenPage, golden_engine: Engine) -> None:
    app = open_page("zero_shot")
    app.multiselect(key="zero_shot_labels").set_value(["咨询", "投诉, 建议，咨询"]).run()
    assert app.multiselect(key="zero_shot_labels").value == ["咨询", "投诉", "建议"]  # pasted ones are split
    app.text_area(key="zero_shot_texts").input("我想查询上个月的账单")
    app.text_input(key="zero_shot_template").input("这句话的意图是{}")
    submit(app)
    (result,) = golden_engine.zero_shot(["我想查询上个月的账单"], labels="咨询,投诉,建议", template="这句话的意图是{}")
    assert f"{result.label}  {result.score:.1%}" in shown(app)
    assert "这句话的意图是咨询" in shown(app)  # the preview


def _zero_shot(open_page: OpenPage, lines: list[str], labels: list[str], **state: object) -> AppTest:
    app = open_page("zero_shot")
    for key, value in state.items():
        app.session_state[key] = value
    app.multiselect(key="zero_shot_labels").set_value(labels)
    app.text_area(key="zero_shot_texts").input("\n".join(lines))
    return submit(app)


def test_one_more_label_is_one_more_row(open_page: OpenPage) -> None:
    """What if: no button is pressed, and what was computed is found again."""
    app = _zero_shot(open_page, ["今天股票上涨"], ["财经甲", "体育甲", "旅游甲"])
    assert TEXTS["zero_shot.rows"].zh.format(computed=3, found=0) in shown(app)
    app.multiselect(key="zero_shot_labels").set_value(["财经甲", "体育甲", "科技甲"]).run()
    assert TEXTS["zero_shot.rows"].zh.format(computed=1, found=2) in shown(app)
    assert "旅游甲" in app.multiselect(key="zero_shot_labels").options  # taken out, and offered again


def test_several_labels_hold_at_a_threshold(open_page: OpenPage, golden_engine: Engine) -> None:
    text, labels = "周末带狗露营", ["宠物", "旅游", "财经"]
    app = _zero_shot(open_page, [text], labels, zero_shot_multi_label=True)
    (result,) = golden_engine.zero_shot([text], labels=labels, multi_label=True)
    for threshold in (0.05, 0.5, 0.95):
        app.slider(key="zero_shot_threshold").set_value(threshold).run()
        taken = [f"{name}  {score:.1%}" for name, score in result.scores.items() if score >= threshold]
        assert ("    ".join(taken) or TEXTS["zero_shot.none_holds"].zh) in shown(app)
        (line,) = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["shapes"]
        assert line["x0"] == threshold


def test_known_labels_behind_a_tab_make_a_confusion_matrix(open_page: OpenPage, golden_engine: Engine) -> None:
    lines = ["主队赢了\t体育", "芯片发布\t科技", "股市上涨\t体育", "没有标签"]
    texts, known = ["主队赢了", "芯片发布", "股市上涨", "没有标签"], ["体育", "科技", "体育"]
    app = _zero_shot(open_page, lines, ["体育", "科技"])
    given = [result.label for result in golden_engine.zero_shot(texts, labels=["体育", "科技"])]
    assert app.dataframe[0].value.iloc[:, 2].tolist() == texts
    right = sum(one == other for one, other in zip(known, given, strict=False))
    assert TEXTS["zero_shot.right"].zh.format(of=3, right=right) in shown(app)
    numbers = json.loads(app.get("plotly_chart")[1].proto.spec)["data"][1]["text"]
    pairs = list(zip(known, given, strict=False))
    counts = [pairs.count((row, column)) for row in ("体育", "科技") for column in ("体育", "科技")]
    assert numbers == [str(count) for count in counts]


def test_each_label_shows_its_surest_texts(open_page: OpenPage, golden_engine: Engine) -> None:
    texts, labels = [f"第{number}条消息" for number in range(9)], ["体育", "科技"]
    app = _zero_shot(open_page, texts, labels)
    results = golden_engine.zero_shot(texts, labels=labels)
    table = app.dataframe[1].value
    for label in labels:
        scores = sorted((100 * each.score for each in results if each.label == label), reverse=True)[:3]
        assert table[table.iloc[:, 0] == label].iloc[:, 1].tolist() == pytest.approx(scores, abs=1e-4)


def test_two_hundred_labels_and_one_too_many(open_page: OpenPage) -> None:
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input("世界那么大")
    app.multiselect(key="zero_shot_labels").set_value([f"标签{number}" for number in range(200)])
    submit(app)
    assert not app.error
    assert len(app.dataframe[0].value) == 200
    app.multiselect(key="zero_shot_labels").set_value([f"标签{number}" for number in range(201)])
    submit(app)
    assert "201" in app.error[0].value


@pytest.mark.parametrize("template", ["没有位置", "{}和{}", "{", "{0.__class__}"])
def test_templates_that_do_not_work_are_explained(open_page: OpenPage, template: str) -> None:
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input("世界那么大")
    app.multiselect(key="zero_shot_labels").set_value(["旅游", "体育"])
    app.text_input(key="zero_shot_template").input(template)
    submit(app)
    assert "模板" in app.error[0].value


def test_no_labels(open_page: OpenPage) -> None:
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input("世界那么大")
    app.multiselect(key="zero_shot_labels").set_value([" ，, "])
    submit(app)
    assert "标签" in app.error[0].value


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_odd_texts(open_page: OpenPage, text: str) -> None:
    app = open_page("similarity")
    app.text_input(key="pair_first").input(text)
    app.text_input(key="pair_second").input(text)
    submit(app)
    assert not app.error
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input(text)
    app.multiselect(key="zero_shot_labels").set_value(["体育", text[:500]])
    submit(app)
    assert not app.error
    # What was typed is never put where Markdown or HTML would be made of it.
    assert not any("alert" in element.value or "javascript" in element.value for element in app.markdown)
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input(text)
    submit(app)
    assert not app.error
    assert (TEXTS["app.truncated"].zh in shown(app)) == (len(text) > 1000)


def test_too_many_lines(open_page: OpenPage) -> None:
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("\n".join(["好"] * 201))
    submit(app)
    assert "201" in app.error[0].value


PAGES_WITH_EXAMPLES = [
    ("similarity", None, "pair", PAIRS),
    ("similarity", "ranking", "ranking", RANKINGS),
    ("similarity", "matrix", "matrix", MATRICES),
    ("sentiment", None, "sentiment", REVIEWS),
    ("sentiment", "compare", "products", PRODUCTS),
    ("zero_shot", None, "zero_shot", LABELS),
]


@pytest.mark.parametrize(("page", "mode", "key", "choices"), PAGES_WITH_EXAMPLES)
def test_examples_are_one_click_away(
    open_page: OpenPage, page: str, mode: str | None, key: str, choices: tuple
) -> None:  # type: ignore[type-arg]
    app = open_page(page)
    if mode:
        app.session_state["view" if page == "sentiment" else "mode"] = mode
        app.run()
    for index, example in enumerate(choices):
        app.button(key=f"{key}_example_{index}").click().run()
        assert not app.exception
        assert not app.error
        for field, value in example.fields.items():
            assert app.session_state[field] == value
        assert app.metric or app.dataframe or app.get("plotly_chart")


def test_the_sidebar_says_what_is_in_use_and_why(open_page: OpenPage) -> None:
    app = open_page("home")
    sidebar = "\n".join(str(element.value) for element in [*app.sidebar.text, *app.sidebar.caption])
    assert "cpu" in sidebar
    assert "fp32" in sidebar
    assert "按设置" in sidebar
    assert any("MiB" in metric.value for metric in app.sidebar.metric)


def test_zero_shot_by_a_shortlist(open_page: OpenPage, golden_engine: Engine) -> None:
    """Twelve labels, of which ten are judged; texts with different shortlists have no map in common."""
    labels = [f"{'长' * number}标签" for number in range(12)]
    texts = ["世界那么大，我想去看看", "股票"]
    app = open_page("zero_shot")
    app.text_area(key="zero_shot_texts").input("\n".join(texts))
    app.multiselect(key="zero_shot_labels").set_value(labels)
    app.selectbox(key="zero_shot_method").select("two_stage")
    submit(app)
    results = golden_engine.zero_shot(texts, labels=labels, method="two_stage")
    assert [len(result.scores) for result in results] == [10, 10]
    assert app.dataframe[0].value.iloc[:, 0].tolist() == [result.label for result in results]
    assert TEXTS["zero_shot.method_note.two_stage"].zh.format(shortlist=10) in shown(app)
    app.toggle(key="zero_shot_multi_label").set_value(True)
    app.selectbox(key="zero_shot_method").select("embedding")
    submit(app)
    assert TEXTS["zero_shot.method.two_stage"].zh in app.error[0].value


def test_a_model_that_is_not_there_is_an_error_not_a_traceback(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENMO_SENTIMENT_MODEL", "no_such_*model*")
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("好")
    submit(app)
    assert "找不到模型" in app.error[0].value
    assert r"\*model\*" in app.error[0].value  # shown literally, not as Markdown


def test_a_device_that_is_not_there_is_an_error_on_every_page(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENMO_DEVICE", "abacus")
    app: AppTest = open_page("home")
    assert "abacus" in app.error[0].value


def test_long_work_shows_how_far_it_is_and_goes_on_after_a_stop(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar from the first batch on; and a visitor who has pressed the button that stands beside it."""
    monkeypatch.setattr(answers, "_PATIENCE_S", 0.0)
    drawn: list[str] = []
    monkeypatch.setattr(answers.st, "progress", lambda value, **_: drawn.append("bar") or _Bar(drawn))
    texts = ["很好", "太差了"]
    app = open_page("sentiment")
    app.text_area(key="sentiment_texts").input("\n".join(texts))
    submit(app)
    app.session_state["stopped.sentiment"] = (texts,)  # as if the button beside the bar had been pressed
    app.session_state["answer.sentiment"] = None
    drawn.clear()
    app.run()
    assert TEXTS["app.stopped"].zh in shown(app) and not app.dataframe and not drawn
    app.button(key="sentiment_start_again").click().run()
    assert not app.exception
    assert app.dataframe[0].value.iloc[:, 2].tolist() == texts
    assert drawn == ["bar", "2 / 2"]


class _Bar:
    def __init__(self, drawn: list[str]) -> None:
        self._drawn = drawn

    def progress(self, value: float, text: str) -> None:
        self._drawn.append(text)
