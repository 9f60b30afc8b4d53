"""What pages make of inputs that are empty, odd, too long or too many, of settings that cannot be, and of a stop."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import OpenPage, shown, submit
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


def test_an_empty_form_says_what_to_do(open_page: OpenPage) -> None:
    app = submit(open_page("similarity"))
    assert TEXTS["similarity.pair_empty"].zh in shown(app)
    assert not app.error
    assert TEXTS["sentiment.empty"].zh in shown(submit(open_page("sentiment")))
    assert TEXTS["zero_shot.empty"].zh in shown(submit(open_page("zero_shot")))


def _matrix(open_page: OpenPage, sentences: list[str], **state: object) -> AppTest:
    app = open_page("similarity")
    app.session_state["mode"] = "matrix"
    app.run()
    for key, value in state.items():
        app.session_state[key] = value
    app.text_area(key="matrix_sentences").input("\n".join(sentences))
    return submit(app)


def test_many_sentences_go_by_vectors_unless_asked_otherwise(open_page: OpenPage) -> None:
    sentences = [f"第{number}句" for number in range(MAX_CROSS_ENCODED + 1)]
    assert TEXTS["similarity.matrix_note.cosine"].zh[-7:] in shown(_matrix(open_page, sentences))
    fewer = shown(_matrix(open_page, sentences[:3]))
    assert TEXTS["similarity.matrix_note.probability"].zh[:6] in fewer and " 6 对" in fewer
    too_many = _matrix(open_page, [f"第{number}句" for number in range(MAX_MATRIX + 1)])
    assert str(MAX_MATRIX + 1) in too_many.error[0].value


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


def test_vectors_find_one_label_alone(open_page: OpenPage) -> None:
    app = _zero_shot(open_page, ["世界那么大"], ["旅游", "体育"], zero_shot_multi_label=True)
    app.selectbox(key="zero_shot_method").select("embedding")
    submit(app)
    assert TEXTS["zero_shot.method.two_stage"].zh in app.error[0].value


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
