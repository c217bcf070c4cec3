"""Keep: what the page hands over and takes back, and the offer to continue; without a browser."""

from __future__ import annotations

import json

import pytest

from tests.engine import worlds
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadRecipe
from unlearnviz.views.dashboard import Dashboard
from unlearnviz.views.panels.keep import Keep, _ago
from unlearnviz.views.panels.sayings import Sayings
from unlearnviz.views.panels.steps import Steps
from unlearnviz.views.state import SessionState

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def keep(shown):
    """The panel, open, with what it sends to pages."""
    panel, state = shown(Keep)
    panel.fold.unfolded = True
    panel.sent = []
    panel.handing.send = panel.sent.append
    return panel, state


def ask(panel, what, how="download", page="this page"):
    panel.handing._heard(panel.handing, {"kind": "want", "what": what, "how": how, "page": page}, [])
    return panel.sent[-1]


def send(panel, text):
    panel.handing._heard(panel.handing, {"kind": "file", "text": text}, [])


def test_the_recipe_is_handed_to_the_page_that_asked(keep):
    panel, state = keep
    state.step(GradientAscent())
    state.session.branch(HOSTILE)
    sent = ask(panel, "recipe", page="one of two")
    assert (sent["page"], sent["how"], sent["what"]) == ("one of two", "download", "recipe")
    content = json.loads(sent["text"])
    assert content["branch"] == HOSTILE
    assert content["steps"][0]["perplexity"] == state.picture.now("perplexity").value
    other = worlds.session()
    other.repeat(sent["text"])
    assert other.fingerprint() == state.session.fingerprint()
    assert ask(panel, "python", "show")["text"] == state.session.as_python()


def test_an_upload_takes_the_place_of_what_was_there(keep):
    panel, state = keep
    session = worlds.session()
    session.step("npo", "block 0")
    session.step()
    session.undo()
    state.step(GradientAscent())
    send(panel, session.recipe().to_text())
    old = state.session.autosave()
    said, yes, _ = panel._question.children
    assert said.text == f"Take up this recipe? The 1 step of this history stays saved in {old}; the page goes on from the recipe's."
    before = old.read_text()
    yes.click()
    assert panel._question is None
    assert state.session.fingerprint() == session.fingerprint()
    assert old.read_text() == before
    assert state.session.autosave() != old
    assert state.picture.recipe == session.recipe_hash()[:12]
    assert state.picture.sentence.startswith("Replayed 2 steps, bit for bit as they were. ")
    assert state.picture.now("perplexity").value == session.measure("perplexity")["perplexity"].value
    assert f"Recipe {state.picture.recipe}. It is saved after every step, to " in panel.where.text


def test_an_upload_is_asked_about_only_where_there_are_steps(keep):
    panel, state = keep
    text = worlds.session().recipe().to_text()
    send(panel, text)
    assert panel._question is None
    assert state.picture.sentence.startswith("Replayed 0 steps")
    state.step(GradientAscent())
    before = worlds.state(state.session)
    send(panel, text)
    send(panel, text)
    assert len(panel.taking.children) == 2
    panel._question.children[2].click()
    assert panel._question is None
    assert worlds.state(state.session) == before
    send(panel, text)
    state.undo()
    assert panel._question is None  # it spoke of another state


def test_what_will_be_saved_is_not_called_saved(keep):
    panel, state = keep
    assert "It will be saved after every step, to " in panel.where.text
    state.step(GradientAscent())
    assert "It is saved after every step, to " in panel.where.text


def test_what_is_no_recipe_is_a_sentence_and_changes_nothing(keep):
    panel, state = keep
    state.step(GradientAscent())
    before = worlds.state(state.session)
    send(panel, '{"unlearnviz": "recipe", "format": 1')
    assert panel._question is None
    assert isinstance(state.error, BadRecipe)
    assert "It seems to be cut short." in str(state.error)
    assert worlds.state(state.session) == before


STRANGE = [None, 3, {}, {"kind": "want"}, {"kind": "want", "what": "secrets"}, {"kind": "file", "text": 3}, {"kind": "file"}]


@pytest.mark.parametrize("message", STRANGE)
def test_a_strange_message_does_nothing(keep, message):
    panel, state = keep
    before = worlds.state(state.session)
    panel.handing._heard(panel.handing, message, [])
    assert panel.sent == []
    assert worlds.state(state.session) == before


def test_an_earlier_session_is_offered_and_taken_up(shown):
    _, earlier = shown(Keep)
    earlier.step(GradientAscent())
    earlier.step(GradientAscent())
    earlier.session.settle()
    panel, state = shown(Keep)
    said, yes, no = panel._offer.children
    assert said.text == "An earlier session of this model and these texts (2 steps, just now) can be continued."
    assert (yes.description, no.description) == ("Continue at step 2?", "Not now")
    yes.click()
    assert state.session.fingerprint() == earlier.session.fingerprint()
    assert state.picture.sentence.startswith("Replayed 2 steps, bit for bit as they were. ")
    assert panel._offer is None
    again, fresh = shown(Keep)
    again._offer.children[2].click()
    assert again._offer is None
    assert fresh.session.head == 0


def test_a_session_with_steps_is_offered_nothing(shown):
    _, earlier = shown(Keep)
    earlier.step(GradientAscent())
    earlier.session.settle()
    panel, _ = shown(Keep, ready=lambda state: state.session.step())
    assert panel._offer is None


def test_the_offer_ends_with_the_first_step(shown):
    _, earlier = shown(Keep)
    earlier.step(GradientAscent())
    earlier.session.settle()
    panel, state = shown(Keep)
    assert panel._offer is not None
    state.step(GradientAscent())
    assert panel._offer is None


def test_a_session_that_was_saved_is_offered_what_came_after(tmp_path):
    session = worlds.session()
    session.step()
    session.save(tmp_path / "saved")
    state = SessionState(Session.load(tmp_path / "saved"))
    state.keep()
    assert state.continuable is None
    state.step(GradientAscent())
    state.session.settle()
    again = SessionState(Session.load(tmp_path / "saved"))
    again.keep()
    assert again.continuable.recipe.head == 2
    again.resume()
    assert again.session.fingerprint() == state.session.fingerprint()
    for each in (state, again):
        each.close()


def test_refused_storage_is_said_where_the_path_would_be(shown, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "a file"))
    panel, state = shown(Keep)
    panel.fold.unfolded = True
    state.step(GradientAscent())
    state.session.settle()
    state.undo()
    assert panel.where.text.startswith("The recipe cannot be saved to ")
    assert state.error is None


def test_how_long_ago(monkeypatch):
    from unlearnviz.views.panels import keep

    monkeypatch.setattr(keep.time, "time", lambda: 1e9)
    said = [_ago(1e9 - seconds) for seconds in (-5, 30, 600, 7200, 400_000)]
    assert said == ["just now", "just now", "10 min ago", "2 h ago", "5 days ago"]


def test_the_dashboard_saves_and_offers(living):
    dashboard = Dashboard(worlds.session())
    steps = next(panel for panel in dashboard.panels if isinstance(panel, Steps))
    steps.step.click()
    dashboard.state.session.settle()
    other = Dashboard(worlds.session())
    assert other.state.continuable.recipe.head == 1
    dashboard.close()
    other.close()
    assert living() == []


def test_prompts_come_along(shown):
    first, state = shown(Sayings)
    state.pick(["Tom Lindqvist"])
    first.prompts[1].value = "Mara Okafor lives in"
    recipe = state.session.recipe()
    assert recipe.prompts == first._written()
    assert recipe.prompts[1] == "Mara Okafor lives in"
    other, fresh = shown(Sayings)
    fresh.upload(recipe.to_text())
    assert other._written() == recipe.prompts
    assert [row["prompt"] for row in fresh.picture.now("generation").rows] == list(recipe.prompts)
    assert fresh.session.recipe_hash() == state.session.recipe_hash()
    path = fresh.session.autosave()
    other.prompts[1].value = "Tom Lindqvist lives in"
    assert not path.exists()  # an edited prompt alone is nothing to continue
    fresh.step(GradientAscent())
    other.prompts[1].value = "Mara Okafor works in"
    fresh.session.settle()
    assert "Mara Okafor works in" in read_recipe(path).prompts
    fresh.pick(["Mara Okafor"])
    assert fresh.session.prompts == ()
    assert "Mara Okafor lives in" not in other._written()
