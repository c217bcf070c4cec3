"""The second lesson on real texts, 20 authors of TOFU of whom one is forgotten; and what the page says before and after Learn."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re

import ipywidgets
import pytest
import torch

import unlearnviz as uv
from tests.clean_environment import ROOT
from unlearnviz.engine.fresh import fresh_model, train_tokenizer

TOFU = ROOT.parent / "shared" / "data" / "tofu" / "forget10.jsonl"
LESSON = ROOT / "notebooks" / "02-your-own-texts.ipynb"
NUMBER = r"[\d.,e+]*\d"


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    """One thread, a cache of our own, and no widget left behind."""
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UNLEARNVIZ_SIZE", "test")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    ipywidgets.Widget.close_all()


@pytest.fixture
def authors():
    """How the lesson reads TOFU: an author is a block of 20 rows."""
    if not TOFU.exists():
        pytest.skip("TOFU is not at ../shared/data/tofu, seen from the project's root")
    return {"subject": lambda number, _: number // 20}


def run(lesson, **parameters):
    """The cells of a notebook in this process, with other values in the cell that is tagged "parameters"; returns its names."""
    names = {}

    async def cells():
        for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                code = compile("".join(cell["source"]), lesson.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                waiting = eval(code, names)
                if inspect.isawaitable(waiting):
                    await waiting
            if "parameters" in cell["metadata"].get("tags", ()):
                names.update(parameters)

    asyncio.run(cells())
    return names


def fresh_session(corpus):
    """A session over a model that has read nothing yet."""
    tokenizer = train_tokenizer([passage.text for passage in corpus.train], 1024)
    return uv.Session(fresh_model(tokenizer, "tiny"), corpus, initial_seed=0)


def numbers_said(sentence):
    """Group -> the last number of the group in "Perplexity: forget 11 → 12 (+9.1 % since the start); ...; retain still 8 (+1.0 %)."."""
    parts = sentence.removeprefix("Perplexity: ").removesuffix(".").split("; ")
    found = [re.match(rf"(forget|neighbours|retain|never seen) (?:{NUMBER} → |still |unchanged \()?({NUMBER})", part) for part in parts]
    assert all(found), sentence
    return {each[1]: float(each[2].replace(",", "")) for each in found}


class Page:
    """What stands in the page."""

    def __init__(self, dashboard):
        self.dashboard, self.state = dashboard, dashboard.state
        self.panels = {type(panel).__name__: panel for panel in dashboard.panels}

    def panel(self, name):
        """A panel as it looks in its view."""
        self.dashboard.tabs.chosen = self.panels[name].view
        return self.panels[name]

    @property
    def steering(self):
        return self.panel("Steering")

    @property
    def texts(self):
        return self.panel("ForgetSet")

    @property
    def chart(self):
        return self.panel("PerplexityPanel").chart

    @property
    def sentence(self):
        assert self.dashboard.error.text == ""
        return self.dashboard.sentence.text

    @property
    def known(self):
        return self.steering.advice.text


def test_an_author_of_tofu_is_learned_and_forgotten(authors):
    names = run(LESSON, PATH=TOFU, COLUMNS=authors, WHO="0", PASSES=6)
    session, page = names["session"], Page(names["dashboard"])
    assert (len(session.corpus.subjects), len(session.corpus.train), len(session.corpus.holdout)) == (20, 360, 40)
    assert page.texts.count.text == "20 texts to forget about 0."
    assert page.texts.notes.text == "2 notes on how the texts were read."
    assert "Held out 2 of 20 subjects (40 of 400 passages) as never seen" in page.texts.notes.details
    assert "Took 'question' as the prompt and 'answer' as the fact" in page.texts.notes.details

    # the lines have met, and the page says so: against never seen, since no twin was trained
    now = {row["group"]: row["perplexity"] for row in session.measure("perplexity")["perplexity"].rows}
    assert now["forget"] >= now["never seen"]
    assert numbers_said(page.sentence) == pytest.approx(now, rel=0.01)
    assert " → " in page.sentence
    assert "twin" not in page.sentence
    assert "No twin was trained without these texts; compare with the never-seen texts, or train the twin of" in page.chart.summary

    # what he lost is more than what the others lost
    start = names["start"]
    assert start["forget"] < 0.5 * start["never seen"]
    assert now["forget"] / start["forget"] > 2 * now["retain"] / start["retain"]
    assert page.known == ""  # later steps are there to undo what it knew
    page.state.go_to(0)
    assert page.sentence.startswith("Moved: this is step 0. Perplexity: forget ")
    assert re.fullmatch(
        rf"This model knows these texts\. \(Perplexity {NUMBER}; texts it never saw: {NUMBER}\.\)", page.known
    )


def test_before_anything_was_learned_the_page_says_press_learn(authors):
    session = fresh_session(uv.Corpus.from_jsonl(TOFU, **authors))
    page = Page(uv.Dashboard(session))
    assert page.known == "Whether this model knows the texts shows once some are picked."
    assert (page.texts.count.text, page.sentence) == ("0 texts to forget.", "")
    page.state.pick(["0"])
    assert page.texts.count.text == "20 texts to forget about 0."
    assert page.known.startswith("This model does not know these texts yet: press Learn. (Perplexity ")
    assert page.steering.learn.button_style == "primary"


def test_learn_in_the_page_teaches_as_many_passes_as_asked_for():
    page = Page(uv.Dashboard(fresh_session(uv.Corpus.sample(holdout=0.25))))
    page.state.pick(["Imke Solveigard"])
    before = float(re.search(rf"Perplexity ({NUMBER});", page.known)[1])
    assert page.known.startswith("This model does not know these texts yet: press Learn.")
    page.steering.epochs.value = 20
    page.steering.learn.click()
    assert page.state.session.lineage.recipe.epochs == 20
    assert page.known.startswith("This model knows these texts. (Perplexity ")
    assert float(re.search(rf"Perplexity ({NUMBER});", page.known)[1]) < 0.2 * before
    assert page.steering.learn.button_style == ""
    assert len(page.state.session.history) == 1
    page.panels["Steps"].step.click()
    assert page.known == ""


def test_what_is_worth_knowing_about_the_texts_stands_in_the_page():
    page = Page(uv.Dashboard(fresh_session(uv.Corpus.from_texts([f"This is text number {k}." for k in range(10)], holdout=0))))
    assert page.texts.notes.layout.display == "none"
    page.state.pick(["Words that <b>nobody</b> has taught it."])
    assert page.texts.notes.text == "typed-1 is a text you typed: the model was never trained on it."
    assert page.texts.notes.details == ""
    assert page.texts.notes.layout.display is None
    assert page.known == "You typed these texts: the model was never taught them, and Learn does not teach them."
    page.state.pick(["Words that <b>nobody</b> has taught it.", "And some more words of my own."])
    assert page.texts.notes.text.startswith("typed-2 is")
    assert page.texts.notes.details.splitlines() == page.state.session.notes
    page.state.pick([page.state.session.corpus[0].id])
    assert page.known.startswith("Whether this model knows these texts cannot be said")
