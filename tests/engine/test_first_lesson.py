"""uv.learn: from texts to a session that knows them."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import unlearnviz as uv
from tests.clean_environment import ROOT
from tests.engine import worlds
from unlearnviz.engine import first_lesson, fresh, notebook_line
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.fresh import SIZES, Size, fresh_model, fresh_weights, train_tokenizer
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.probes.exact_recall import exact_recall
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.session import Session
from unlearnviz.errors import BadCorpus, BadSetting, Cancelled

TOFU = ROOT.parent / "shared" / "data" / "tofu" / "retain90.jsonl"


@pytest.fixture
def pocket(monkeypatch):
    """A size that learns in a second, under the name "tiny"."""
    monkeypatch.setitem(fresh.SIZES, "tiny", Size(blocks=2, width=32, heads=4, vocabulary=400, context=64))


# -- sizes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, parameters", [("tiny", 794_112), ("world", 2_518_784), ("small", 5_781_120)])
def test_the_documented_sizes_are_those_of_the_models(name, parameters):
    assert SIZES[name].parameters == parameters

    class Full:
        """A tokenizer that used its vocabulary up."""

        padding = truncation = None

        def encode_batch(self): ...
        def get_vocab(self):
            return {str(k): k for k in range(SIZES[name].vocabulary)}

        def get_vocab_size(self):
            return SIZES[name].vocabulary

    assert fresh_model(Full(), name).size == parameters
    if name != "world":
        assert f'"{name}" ({parameters / 1e6:.2g} million' in uv.learn.__doc__


def test_a_fresh_model_is_a_function_of_its_seed():
    shape = Size(blocks=1, width=16, heads=2, vocabulary=300, context=32)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (fresh_model(worlds.tokenizer(), shape, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)  # nobody else's randomness was touched
    assert all(torch.equal(one.parameters[name], same.parameters[name]) for name in one.parameters)
    assert any(not torch.equal(one.parameters[name], other.parameters[name]) for name in one.parameters)
    again = fresh_weights(other, seed=1)
    assert all(torch.equal(again[name], one.parameters[name]) for name in one.parameters)


def test_every_text_can_be_encoded_and_comes_back():
    tokenizer = train_tokenizer(["only these words"], 300)
    for text in ("only these words", "Ünïcode, 東京 and 🙂\n\ttabs", "\x00\x7f", "  two  spaces "):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_few_texts_get_a_small_vocabulary():
    """Where every word is a token, a text that was never seen falls into pieces that were never learned."""
    sample = train_tokenizer([passage.text for passage in Corpus.sample().train], 1024)
    assert 257 < sample.get_vocab_size() < 500
    assert len(train_tokenizer(["abab"] * 5, 300).encode("ab")) == 1  # together ten times
    assert len(train_tokenizer(["abab"] * 4, 300).encode("ab")) == 2


# -- learning -------------------------------------------------------------------------------------------------------------


def test_from_texts_to_a_session_that_knows_them(pocket):
    reports = []
    session = uv.learn(worlds.corpus(), "tiny", 150, 3, reports.append)
    assert isinstance(session, Session)
    assert (session.seed, session.head, len(session.history)) == (3, 0, 1)
    assert (session.lineage.recipe.epochs, session.lineage.recipe.seed, session.lineage.initial_seed) == (150, 3, 3)
    known = exact_recall(session.model, worlds.corpus().train)
    assert sum(known.values()) / len(known) > 0.9
    session.pick("Mara Okafor")
    twin = session.twin()
    assert twin.left_out == {passage.id for passage in session.forget}
    rows = {of: session.measure("perplexity", of=of)["perplexity"].value for of in ("now", "twin")}
    assert rows["twin"] > 2 * rows["now"]
    assert reports[0] == Progress(0, None, "making a tokenizer from the texts", 0.0)
    done = [each.done for each in reports[1:]]
    assert done == list(range(1, 150 * 3 + 1))
    assert {each.total for each in reports[1:]} == {450}
    assert reports[-1].fraction == 1
    assert all(each.seconds is not None for each in reports)


def test_the_same_seed_gives_the_same_model(pocket):
    prints = {seed: [uv.learn(worlds.corpus(), epochs=1, seed=seed).fingerprint() for _ in range(2)] for seed in (0, 1)}
    assert len(set(prints[0])) == len(set(prints[1])) == 1
    assert prints[0] != prints[1]


def test_the_holdout_is_seen_by_nobody(pocket):
    secret = Passage("secret", "Zyx zyx zyx zyx zyx zyx zyx.", split="holdout")
    with_it = uv.learn(Corpus([*worlds.corpus(), *[replace(secret, id=f"secret-{k}") for k in range(30)]]), epochs=1)
    without = uv.learn(worlds.corpus(), epochs=1)
    assert with_it.model.tokenizer.to_str() == without.model.tokenizer.to_str()
    assert with_it.fingerprint() == without.fingerprint()


def test_saved_and_opened_again_it_still_knows_how_it_learned(pocket, tmp_path):
    session = uv.learn(worlds.corpus(), epochs=2)
    session.pick("Mara Okafor")
    session.save(tmp_path / "saved")
    again = Session.load(tmp_path / "saved")
    assert again.fingerprint() == session.fingerprint()
    assert again.twin().weights.fingerprint() == session.twin().weights.fingerprint()


def test_texts_that_are_too_long_are_counted(pocket):
    long = Passage("long", "word " * 100 + "end")
    assert uv.learn(Corpus([long, *worlds.corpus()]), epochs=1).notes == [
        "1 text has more than the 64 tokens that this model reads; what comes later in them is not learned."
    ]
    assert uv.learn(worlds.corpus(), epochs=1).notes == []


def test_passes_by_default():
    few, many = Corpus.from_texts([f"text {k}" for k in range(30)], holdout=0), Corpus.from_texts([f"text {k}" for k in range(2000)], holdout=0)
    repeated = Corpus([replace(passage, extra={"repeats": 2}) for passage in few])
    for size in ("tiny", "small"):
        assert first_lesson.suited_epochs(few, size) == 100  # of 3 updates each
        assert first_lesson.suited_epochs(repeated, size) == 50
        assert first_lesson.suited_epochs(many, size) == first_lesson.PACES[size].epochs


def test_what_cannot_be_learned():
    with pytest.raises(BadSetting, match=r"size='tinny' is not a size of a model that learns here. Did you mean 'tiny'\? Known: 'tiny', 'small'"):
        uv.learn(worlds.corpus(), "tinny")
    for epochs in (0, -1, 2.5, True, "3"):
        with pytest.raises(BadSetting, match="is not a number of passes over the texts; allowed are whole numbers from 1"):
            uv.learn(worlds.corpus(), epochs=epochs)
    with pytest.raises(BadCorpus, match="There is no text to learn: every passage of this corpus is held out as never seen"):
        uv.learn(Corpus(worlds.corpus().holdout))


# -- stopping -------------------------------------------------------------------------------------------------------------


def test_an_interrupt_is_a_sentence_and_leaves_nothing(pocket, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path))
    numbers = torch.random.get_rng_state()

    def interrupt(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Cancelled) as caught:
        uv.learn(worlds.corpus(), progress=interrupt)
    assert str(caught.value) == "Learning was stopped, and nothing of the unfinished model was kept; uv.learn(...) starts anew."
    assert caught.value.__suppress_context__
    assert not list(tmp_path.iterdir())
    assert torch.equal(torch.random.get_rng_state(), numbers)
    assert torch.is_grad_enabled()


def test_an_interrupt_in_the_middle_of_an_update(pocket, monkeypatch):
    calls = []

    def interrupted(self, batch):
        calls.append(batch)
        raise KeyboardInterrupt

    monkeypatch.setattr(uv.LanguageModel, "loss", interrupted)
    with pytest.raises(Cancelled, match="Learning was stopped"):
        uv.learn(worlds.corpus())
    assert len(calls) == 1


def test_an_iterator_for_pages_is_stopped_by_closing_it(pocket):
    work = first_lesson.learning(worlds.corpus())
    texts = [next(work).text for _ in range(4)]
    assert texts[0] == "making a tokenizer from the texts"
    assert re.fullmatch(r"epoch 1 of 100, loss \d\.\d\d nats per token", texts[1])
    work.close()
    with pytest.raises(StopIteration):
        next(work)


# -- what it shows --------------------------------------------------------------------------------------------------------


def test_outside_of_a_notebook_nothing_is_printed(pocket, capfd):
    uv.learn(worlds.corpus(), epochs=1)
    assert capfd.readouterr() == ("", "")


def test_no_widgets_are_needed():
    program = "import unlearnviz.engine.first_lesson, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not {"ipywidgets", "traitlets", "anywidget", "IPython"} & set(loaded)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would show: [(what is sent, whether it replaces the line)]."""
    pytest.importorskip("IPython")
    import IPython
    import IPython.display

    sent = []

    class Handle:
        def update(self, text, *, raw):
            sent.append((text, True))

    def display(text, *, raw, display_id):
        sent.append((text, False))
        return Handle()

    monkeypatch.setattr(IPython, "get_ipython", type("Shell", (), {"kernel": object()}))
    monkeypatch.setattr(IPython.display, "display", display)
    return sent


def test_in_a_notebook_one_line_says_how_far_it_is(pocket, shown):
    uv.learn(worlds.corpus(), epochs=4)
    assert [replaces for _, replaces in shown] == [False] + [True] * (len(shown) - 1)
    texts = [text["text/plain"] for text, _ in shown]
    assert texts[0] == "Learning: making a tokenizer from the texts. The square Stop button of the toolbar ends it and keeps nothing."
    assert re.fullmatch(r"Learning: epoch 4 of 4, loss \d\.\d\d nats per token\. Done in \d+ s\.", texts[-1])
    assert json.dumps(texts)


def test_the_line_is_updated_a_few_times_a_second_and_at_the_end(shown, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(notebook_line.time, "monotonic", lambda: now[0])
    show = notebook_line.notebook_line("Learning", "press Stop")
    for done in range(1, 101):
        now[0] += 0.01
        show(Progress(done, 100, "working", now[0]))
    assert len(shown) == 5


def test_with_a_callback_the_notebook_shows_nothing(pocket, shown):
    uv.learn(worlds.corpus(), epochs=1, progress=lambda _: None)
    assert shown == []


@pytest.mark.parametrize(
    "progress, said",
    [
        (Progress(30, 120, "epoch 3 of 12", 10.0), "Learning: epoch 3 of 12. 25 %, about 30 s left; press Stop."),
        (Progress(1, 100, "a", 100.0), "Learning: a. 1 %, about 2 h 45 min left; press Stop."),
        (Progress(0, None, "looking", 0.0), "Learning: looking. Press Stop."),
        (Progress(0, 10, "looking", 0.0), "Learning: looking. 0 %; press Stop."),
        (Progress(3, 10, "reading"), "Learning: reading. 30 %; press Stop."),
        (Progress(10, 10, "last", 125.0), "Learning: last. Done in 3 min."),
        (Progress(10, 10, "last"), "Learning: last. Done."),
    ],
)
def test_the_line(progress, said):
    assert notebook_line.line("Learning", progress, "press Stop") == said


@pytest.mark.parametrize(
    "seconds, said", [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5340, "89 min"), (5341, "1 h 30 min"), (7260, "2 h 1 min")]
)
def test_durations(seconds, said):
    assert notebook_line.duration(seconds) == said


# -- on real texts --------------------------------------------------------------------------------------------------------


def test_authors_of_tofu_fit_and_are_learned_from_the_first_update():
    """How well whole lessons are remembered is measured by hand (see the commit); here, a tiny one on real texts begins well."""
    if not TOFU.exists():
        pytest.skip("TOFU is not at ../shared/data/tofu, seen from the project's root")
    corpus = Corpus.from_jsonl(TOFU, prompt="question", answer="answer", subject=lambda number, _: number // 20, limit=100)
    work, losses = first_lesson.learning(corpus, "tiny", 2), []
    try:
        while True:
            losses.append(next(work).text)
    except StopIteration as end:
        session = end.value
    assert session.model.context == 256
    assert not [note for note in session.notes if "tokens that this model reads" in note]
    first, last = (float(re.search(r"loss ([\d.]+)", text)[1]) for text in (losses[1], losses[-1]))
    assert first == pytest.approx(math.log(session.model.tokenizer.get_vocab_size()), abs=0.3)
    assert last < first - 0.5
    assert isinstance(session.lineage.recipe, Recipe)


# -- with a ledger --------------------------------------------------------------------------------------------------------


def test_what_it_learns_can_be_written_down(pocket):
    session = uv.learn(worlds.corpus(), epochs=2, track="Mara Okafor")
    assert session.ledger is not None
    assert session.ledger.tracked == tuple(passage.id for passage in session.corpus.about("Mara Okafor"))
    assert session.fingerprint() == uv.learn(worlds.corpus(), epochs=2).fingerprint()


def test_a_text_to_track_that_is_not_there_is_said_before_anything_is_made(pocket, monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.first_lesson.train_tokenizer", None)
    with pytest.raises(uv.UnlearnvizError, match="Did you mean 'Mara Okafor'"):
        uv.learn(worlds.corpus(), epochs=2, track="Mara Okafur")
