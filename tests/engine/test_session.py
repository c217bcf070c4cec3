"""Session: the contract of its verbs, its events, and one writer at a time."""

from __future__ import annotations

import logging
import math

import pytest

from tests.engine import worlds
from unlearnviz.engine.corpus import Corpus, Passage
from unlearnviz.engine.events import Learned, Measured, Moved, Picked, Renamed, Stepped, Thinned, TwinReady
from unlearnviz.engine.groups import GROUPS
from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.engine.neighbours import neighbours
from unlearnviz.engine.probes.perplexity import Perplexity
from unlearnviz.errors import BadSetting, Busy, Cancelled, NotPossible


def test_the_verbs_as_the_contract_has_them(session, tmp_path):
    assert [p.subject for p in session.pick("Mara Okafor")] == ["Mara Okafor"] * 4
    record = session.step(GradientAscent(), where="embedding")
    assert (record.id, record.parent, record.branch, record.method, record.where) == (1, 0, "main", "gradient-ascent", "embedding")
    assert record.forget == tuple(p.id for p in session.forget)
    assert record.narration == "gradient-ascent: one update of embedding, to forget 4 texts."
    assert record.settings == GradientAscent().settings
    readings = session.measure(Perplexity(), "generation")
    assert list(readings) == ["perplexity", "generation"]
    assert readings["perplexity"].passages == {group: tuple(p.id for p in session.groups[group]) for group in GROUPS}
    assert session.undo().id == 0
    assert session.redo().id == 1
    assert session.go_to(0).id == 0
    session.branch("gentle")
    assert session.step().branch == "gentle"
    assert session.go_to("main").id == 1
    assert session.history.branch == "main"
    assert session.history.to_frame().shape[0] > 2
    assert repr(session) == (
        "Session(LanguageModel(tiny, 0.04 M parameters, 2 blocks), Corpus(24 taught, 8 never seen, 8 subjects), "
        "step 1 on 'main', forget 4 texts)"
    )


def test_the_default_step_has_the_same_share_of_every_selections_norm(session):
    for where in ("embedding", "block 0", "all"):
        from unlearnviz.engine.selection import ParameterSelection

        names = ParameterSelection.parse(where, session.model.layout).names
        norm = math.sqrt(sum(float((session.snapshots[0].weights[name].double() ** 2).sum()) for name in names))
        record = session.step(where=where)
        assert math.hypot(*record.update_norm.values()) == pytest.approx(0.0078 * norm, rel=1e-3)


def test_seeds_come_from_the_session_and_the_depth():
    session, other = worlds.session(seed=1), worlds.session(seed=2)
    seeds = [session.step().seed for _ in range(3)]
    assert len(set(seeds)) == 3
    assert other.step().seed not in seeds
    session.go_to(1)
    session.branch("gentle")
    assert session.step().seed == seeds[1]


# -- picking ------------------------------------------------------------------------------------------------------------


def many():
    taught = [Passage(f"p{k}", f"Person {k % 9} went to town number {k} and bought {k} loaves.", f"Person {k % 9}") for k in range(90)]
    return Corpus([*taught, *(Passage(f"h{k}", f"Somebody else, number {k}, stayed at home.", "Else", "holdout") for k in range(40))])


def test_groups_are_disjoint_fixed_and_drawn_with_the_seed():
    corpus = many()
    session = worlds.session(texts=corpus, pick=None, seed=5)
    session.pick("Person 3")
    groups = session.groups
    assert tuple(groups) == GROUPS
    assert [len(groups[group]) for group in GROUPS] == [10, 20, 20, 20]
    ids = [passage.id for members in groups.values() for passage in members]
    assert len(ids) == len(set(ids))
    assert {p.split for group in GROUPS[:3] for p in groups[group]} == {"train"}
    assert {p.split for p in groups["never seen"]} == {"holdout"}
    assert list(groups["neighbours"]) == [n.passage for n in neighbours(groups["forget"], corpus.train)[:20]]
    session.step()
    session.undo()
    assert session.groups is groups
    again, other = worlds.session(texts=corpus, pick="Person 3", seed=5), worlds.session(texts=corpus, pick="Person 3", seed=6)
    assert again.groups == groups
    assert other.groups["neighbours"] == groups["neighbours"]
    assert other.groups["retain"] != groups["retain"]
    assert other.groups["never seen"] != groups["never seen"]


def test_neighbours_are_ordered_by_rapidfuzz_ratio_of_normalised_texts():
    from rapidfuzz import fuzz

    corpus = worlds.corpus()
    query = [corpus["mara-okafor-0"]]

    def plain(text):
        return " ".join(text.lower().split())

    wanted = sorted(
        ((fuzz.ratio(plain(query[0].text), plain(p.text)), -k, p.id) for k, p in enumerate(corpus.train) if p.id != "mara-okafor-0"),
        reverse=True,
    )
    found = neighbours(query, corpus.train)
    assert [each.passage.id for each in found] == [name for _, _, name in wanted]
    assert [each.score for each in found] == pytest.approx([score for score, _, _ in wanted], rel=1e-6)
    assert all(each.score >= 60 for each in neighbours(query, corpus.train, threshold=60))


def test_what_can_be_picked(session):
    corpus = session.corpus
    for items, wanted in (
        (("mara-okafor-1",), ["mara-okafor-1"]),
        ((corpus[3],), [corpus[3].id]),
        ((["Tom Lindqvist"], "tom-lindqvist-0"), [f"tom-lindqvist-{k}" for k in range(4)]),
        ((p for p in corpus.train[:2]), [p.id for p in corpus.train[:2]]),
        ((f"  {corpus[5].text} ",), [corpus[5].id]),
    ):
        assert [p.id for p in session.pick(*items)] == wanted
    assert session.typed == []


def test_a_typed_text_becomes_a_passage_with_a_note(session):
    (passage,) = session.pick("  Nobody ever wrote this sentence. ")
    assert (passage.id, passage.text, passage.split) == ("typed-1", "Nobody ever wrote this sentence.", "train")
    assert session.notes == ["typed-1 is a text you typed: the model was never trained on it."]
    session.step()
    assert session.pick("typed-1", "Mara Okafor")[0] is passage
    assert session.pick("Nobody ever wrote this sentence.")[0] is passage
    session.pick("Another text that nobody wrote.")
    assert [p.id for p in session.typed] == ["typed-1", "typed-2"]
    assert session.taught_forget == frozenset()


def test_a_passage_from_elsewhere_is_a_typed_text(session, tmp_path):
    stranger = Passage("mara-okafor-0", "This is not what the corpus holds under that id.")
    (passage,) = session.pick(stranger)
    assert (passage.id, passage.text) == ("typed-1", stranger.text)
    from unlearnviz.engine.session import Session

    assert Session.load(session.save(tmp_path / "x")).forget == (passage,)


def test_a_long_text_is_cut_with_a_note(session):
    text = "Mara Okafor sings. " * 20
    session.pick(text)
    total = len(session.model.tokenizer.encode(text.strip()).ids)
    assert session.notes[-1] == f"typed-1: This text has {total} tokens and the model reads 64: it is cut after token 64."
    session.step()
    assert session.measure("perplexity")["perplexity"].rows[0]["tokens"] == 63


def test_picking_is_state_and_no_commit(session):
    session.step()
    session.pick("Tom Lindqvist")
    assert len(session.history) == 2
    session.undo()
    assert session.forget[0].subject == "Tom Lindqvist"
    assert session.history[1].forget[0].startswith("mara-okafor")


# -- runs ---------------------------------------------------------------------------------------------------------------


def test_a_run_is_so_many_steps(session):
    twin = worlds.session()
    records = session.run(3, "gradient-difference", "block 0")
    for _ in range(3):
        twin.step("gradient-difference", "block 0")
    assert [record.id for record in records] == [1, 2, 3]
    assert session.fingerprint() == twin.fingerprint()
    assert all(session.history.readings[step] for step in (1, 2, 3))


def test_a_run_that_overshoots_ends_with_a_marked_step():
    session = worlds.session(texts=many(), pick="Person 3")
    records = session.run(50, GradientAscent(learning_rate=5.0), "all", stop_at=1.2)
    assert 1 <= len(records) < 50
    assert [record.mark for record in records] == [""] * (len(records) - 1) + ["overshoot"]
    assert session.history[session.head] == records[-1]
    rows = {step: {r["group"]: r["perplexity"] for r in session.history.readings[step][-1].rows} for step in (0, session.head)}
    assert rows[session.head]["retain"] > 1.2 * rows[0]["retain"]
    session.undo()
    assert session.history.records[-1].mark == "overshoot"


def test_a_stopped_run_keeps_its_finished_steps_and_says_so(session):
    heard = []
    session.listen(heard.append)
    work = session.running(5)
    while session.head < 2:
        next(work)
    prints = session.fingerprint()
    session.cancel()
    with pytest.raises(Cancelled):
        for _ in work:
            pass
    assert (session.head, len(session.history), session.fingerprint()) == (2, 3, prints)
    assert [event for event in heard if isinstance(event, Stepped)] == [Stepped(1), Stepped(2)]


@pytest.mark.parametrize(
    "steps, stop_at, sentence",
    [
        (0, 3.0, "A run of 0 steps was asked for; a run has at least 1."),
        (2.5, 3.0, "A run of 2.5 steps was asked for; a run has at least 1."),
        (2, 1.0, "stop_at=1.0 would stop every run; it is a factor above 1 on the start's retain perplexity."),
        (2, math.nan, "stop_at=nan would stop every run; it is a factor above 1 on the start's retain perplexity."),
    ],
)
def test_a_run_that_cannot_be(session, steps, stop_at, sentence):
    with pytest.raises(BadSetting) as caught:
        session.run(steps, stop_at=stop_at)
    assert str(caught.value) == sentence
    assert session.head == 0


# -- readings -----------------------------------------------------------------------------------------------------------


def test_readings_of_now_the_start_the_twin_and_a_step():
    session = worlds.session()
    session.learn(2)
    session.twin()
    values = {0: session.measure("perplexity")["perplexity"].value}
    for step in (1, 2):
        session.step()
        values[step] = session.measure("perplexity")["perplexity"].value
    assert len(set(values.values())) == 3
    for of, wanted in (("now", 2), ("start", 0), (1, 1), ("2", 2)):
        reading = session.measure("perplexity", of=of)["perplexity"]
        assert reading.value == pytest.approx(values[wanted], rel=1e-6)
        assert reading.of == str(of)
        assert reading.step == (2 if of == "start" else wanted)
    twin = session.measure("perplexity", of="twin")["perplexity"]
    assert (twin.of, twin.step) == ("twin", 2)
    session.go_to(1)
    assert session.measure("perplexity")["perplexity"].value == values[1]


def test_nothing_is_measured_twice(session, monkeypatch):
    calls = []
    real = Perplexity.measure
    monkeypatch.setattr(Perplexity, "measure", lambda *arguments: (calls.append(1), real(*arguments))[1])
    first = session.measure("perplexity")["perplexity"]
    session.step()
    session.measure("perplexity")
    session.undo()
    assert session.measure("perplexity")["perplexity"].rows == first.rows
    assert len(calls) == 2
    session.measure(Perplexity(of_answer=True))
    session.pick("Tom Lindqvist")
    session.measure("perplexity")
    assert len(calls) == 4


# -- one writer, and who listens ----------------------------------------------------------------------------------------


def test_one_writer_at_a_time(session, tmp_path):
    work = session.stepping(GradientAscent(updates=3))
    next(work)
    during = session.fingerprint()
    for attempt in (
        session.step,
        lambda: session.run(2),
        session.undo,
        session.redo,
        lambda: session.go_to(0),
        lambda: session.branch("x"),
        lambda: session.pick("Tom Lindqvist"),
        lambda: session.measure("perplexity"),
        lambda: session.learn(1),
        session.twin,
        lambda: session.rename_branch("main", "x"),
        lambda: session.keep_every(2),
        lambda: session.save(tmp_path / "x"),
        lambda: session.export(tmp_path / "y"),
    ):
        with pytest.raises(Busy, match=r"^A piece of work is running \(a step of gradient-ascent.*\), so .* has to wait\. Stop it with"):
            attempt()
    assert session.fingerprint() == during
    assert not (tmp_path / "x").exists()
    for _ in work:
        pass
    assert session.head == 1
    session.undo()


def test_a_stop_is_for_the_work_that_runs_and_for_no_other(session):
    session.cancel()
    assert session.step().id == 1
    work = worlds.one_at_a_time(session.measuring("perplexity", "gradient-norm"), 1)
    session.cancel()
    with pytest.raises(Cancelled) as caught:
        next(work)
    assert str(caught.value) == "a measurement was stopped; nothing of the unfinished part was kept."
    assert not session.turn.taken


def test_every_verb_tells_its_listeners(session):
    heard = []
    stop = session.listen(heard.append)
    session.pick("Mara Okafor")
    session.step()
    session.undo()
    session.redo()
    session.branch("gentel")
    session.rename_branch("gentel", "gentle")
    session.measure("perplexity", of="start")
    session.run(1)
    session.keep_every(2)
    session.go_to("main")
    session.forget_branch("gentle")
    session.learn(1)
    session.twin()
    ids = tuple(p.id for p in session.forget)
    assert heard == [
        Picked(0, ids),
        Stepped(1),
        Moved(0, "main"),
        Moved(1, "main"),
        Moved(1, "gentel"),
        Renamed(1, "gentel", "gentle"),
        Measured(1, ("perplexity",), "start"),
        Stepped(2),
        Thinned(2, ()),
        Moved(1, "main"),
        Thinned(1, (2,)),
        Learned(0),
        TwinReady(0, tuple(sorted(ids))),
    ]
    stop()
    stop()
    session.step()
    assert len(heard) == 13


def test_a_listener_that_fails_breaks_nothing(session, caplog):
    heard = []
    session.listen(lambda event: 1 / 0)
    session.listen(heard.append)
    with caplog.at_level(logging.ERROR, logger="unlearnviz"):
        record = session.step()
    assert session.head == record.id == 1
    assert heard == [Stepped(1)]
    assert "A listener of the session failed on Stepped(step=1)" in caplog.text


def test_a_listener_may_look_and_step(session):
    seen = []
    session.listen(lambda event: seen.append(session.measure("update-size")) if isinstance(event, Stepped) else None)
    session.step()
    assert seen[0]["update-size"].value > 0


def test_undo_and_redo_jump_over_what_was_given_up(session):
    for _ in range(5):
        session.step()
    assert session.keep_every(3) == (1, 2, 4)
    assert session.undo().id == 3
    assert session.undo().id == 0
    assert session.redo().id == 3
    assert session.redo().id == 5
    with pytest.raises(NotPossible, match="There is nothing to redo"):
        session.redo()
    for k in (0, -1, 1.5):
        with pytest.raises(BadSetting, match=r"keep_every\(.*\) keeps no step; k is a whole number, at least 1\."):
            session.keep_every(k)


def test_a_session_says_what_share_an_update_has():
    with pytest.raises(BadSetting, match=r"update_fraction=nan is out of range; allowed is above 0\."):
        worlds.session(update_fraction=math.nan)
