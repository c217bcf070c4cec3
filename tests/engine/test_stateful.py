"""Thousands of random operations against the laws: whatever is done in whatever order, every step keeps its weights."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.engine import worlds
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.session import Session
from unlearnviz.errors import Cancelled, NotPossible, Overshoot, UnlearnvizError

EXAMPLES, OPERATIONS = 55, 50  # hypothesis ends some examples early; the operations are counted

made = st.sampled_from(
    [
        methods["gradient-ascent"](),
        methods["gradient-ascent"](learning_rate=0.1, updates=2, batch_size=2),
        methods["gradient-ascent"](optimizer="AdamW", weight_decay=0.1),
        methods["gradient-difference"](),
        methods["fine-tune"](batch_size=4, updates=2),
        methods["nabla-tau"](passes=3, steps=2),
        methods["label-flipping"](keep=0.1, pruning="rotating"),
        methods["optimisation-based"](keep=0.2, pruning="random", optimizer="AdamW"),
        methods["npo"](),
        methods["sim-npo"](learning_rate=0.1, retain_weight=0),
    ]
)
wheres = st.sampled_from(["embedding", "embedding.input", "embedding.input, norm", "head", "block 0", "all"])
picks = st.sampled_from(["Mara Okafor", "tom-lindqvist-0", "A text that nobody ever taught to this model."])
budgets = st.sampled_from(
    [
        {},  # all in memory, which nothing leaves
        {"memory_budget": 60_000},  # a step or two in memory, the others on disk
        {"memory_budget": 0},  # every value on disk
        {"memory_budget": 60_000, "disk_budget": 500_000},  # room for some steps: some are refused
    ]
)


class Operations(RuleBasedStateMachine):
    """The model of the session: a list of fingerprints, one a step."""

    names = Bundle("names")
    done = 0

    @initialize(budget=budgets, shape=st.sampled_from([{}, {"tied": False}]))
    def open(self, budget, shape):
        self.folder = Path(tempfile.mkdtemp(prefix="unlearnviz-test-"))
        self.budget = budget
        self.session = worlds.session(blocks=1, width=16, **budget, **shape)
        self.prints = [self.session.fingerprint()]
        self.records = list(self.session.history)
        self.named = 0
        self.forgotten = set()
        self.saved = None

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def unchanged_by(self, operation, *allowed):
        """Whether `operation` was refused, and then changed nothing."""
        before = self.seen()
        try:
            operation()
        except allowed as error:
            sentence = str(error)
        else:
            return False
        assert sentence.endswith(".")
        assert self.seen() == before
        return True

    def seen(self):
        session = self.session
        return session.fingerprint(), session.history.dumps(), session.forget, session.snapshots.steps(), session.turn.taken

    def needed(self):
        """Ids of the values that the kept steps consist of, with their bases."""
        kept = [self.session.snapshots[step] for step in self.session.snapshots.steps()]
        values = [value for each in kept for value in (*each.weights.stored.values(), *each.state.values())]
        return {id(value) for value in values} | {id(value.base) for value in values if value.base is not None}

    def landed(self):
        assert self.session.fingerprint() == self.prints[self.session.head]

    # -- steps

    @rule(method=made, where=wheres)
    def step(self, method, where):
        if not self.unchanged_by(lambda: self.session.step(method, where), NotPossible, Overshoot):
            assert self.session.head == len(self.prints)
            self.prints.append(self.session.fingerprint())
            self.records.append(self.session.history[self.session.head])

    @precondition(lambda self: self.session.head)
    @rule()
    def step_again_after_undo(self):
        record = self.session.history[self.session.head]
        if not self.session.snapshots.holds(record.parent):
            return
        wanted, before = self.session.fingerprint(), self.session.forget
        self.session.undo()
        self.session.pick(*record.forget)
        method = methods[record.method](**record.settings)
        if not self.unchanged_by(lambda: self.session.step(method, record.where), NotPossible):
            assert self.session.fingerprint() == wanted
            self.prints.append(wanted)
            self.records.append(self.session.history[self.session.head])
        self.session.pick(*before)

    @rule(method=made, where=wheres, how=st.sampled_from(["close", "cancel", "throw"]))
    def interrupt(self, method, where, how):
        before = self.seen()
        work = self.session.stepping(method, where)
        next(work)
        try:
            if how == "close":
                work.close()
            elif how == "throw":
                work.throw(ZeroDivisionError)
            else:
                self.session.cancel()
                for _ in work:
                    raise AssertionError("a stopped step went on")
                # the Stop came after the last cancel point: then the step is done
                self.prints.append(self.session.fingerprint())
                self.records.append(self.session.history[self.session.head])
                return
        except (ZeroDivisionError, Cancelled, NotPossible):
            pass
        assert self.seen() == before

    # -- moves

    @rule()
    def undo(self):
        if not self.unchanged_by(self.session.undo, NotPossible):
            self.landed()

    @rule()
    def redo(self):
        if not self.unchanged_by(self.session.redo, NotPossible):
            self.landed()

    @rule(data=st.data())
    def go_to(self, data):
        step = data.draw(st.integers(0, len(self.prints) - 1))
        if not self.unchanged_by(lambda: self.session.go_to(step), NotPossible):
            assert self.session.head == step
            self.landed()

    @rule(target=names)
    def branch(self):
        self.named += 1
        self.session.branch(f"branch {self.named}")
        return f"branch {self.named}"

    @rule(name=names)
    def go_to_branch(self, name):
        if not self.unchanged_by(lambda: self.session.go_to(name), UnlearnvizError):
            assert self.session.history.branch == name
            self.landed()

    @rule(what=picks)
    def pick(self, what):
        self.session.pick(what)

    # -- room

    @rule(k=st.integers(1, 3))
    def keep_every(self, k):
        before = self.session.snapshots.steps()
        dropped = self.session.keep_every(k)
        assert set(self.session.snapshots.steps()) == set(before) - set(dropped)
        self.landed()

    @rule(name=names)
    def forget_branch(self, name):
        history = self.session.history
        way = set(history.path(history.branches[name])) if name in history.branches else set()
        if not self.unchanged_by(lambda: self.session.forget_branch(name), UnlearnvizError):
            assert name not in history.branches
            gone = way - self.on_branches()
            assert not gone & set(self.session.snapshots.steps())
            self.forgotten |= gone
            self.landed()

    @rule(name=names, target=names)
    def rename_branch(self, name):
        self.named += 1
        history, new = self.session.history, f"branch {self.named}"
        if not self.unchanged_by(lambda: self.session.rename_branch(name, new), UnlearnvizError):
            assert [(each.id, each.parent) for each in history] == [(each.id, each.parent) for each in self.records]
            self.records = [replace(each, branch=history[each.id].branch) for each in self.records]
            assert name not in {each.branch for each in history if each.id in self.on_branches()}
        return new

    def on_branches(self):
        history = self.session.history
        return {step for tip in history.branches.values() for step in history.path(tip)}

    # -- disk

    @rule(again=st.booleans())
    def save(self, again):
        self.session.save(self.folder / "saved" if again else self.folder / f"save {len(self.records)}")
        if again:
            self.saved = [*self.prints], [*self.records], {*self.forgotten}, self.session.history.dumps()

    @precondition(lambda self: self.saved)
    @rule()
    def load(self):
        budget = {name: value for name, value in self.budget.items() if name == "memory_budget"}
        self.session = Session.load(self.folder / "saved", **budget)
        prints, records, forgotten, history = self.saved
        self.prints, self.records, self.forgotten = [*prints], [*records], {*forgotten}
        assert self.session.history.dumps() == history

    # -- what always holds

    @invariant()
    def laws_hold(self):
        if not hasattr(self, "session"):
            return
        Operations.done += 1
        session = self.session
        assert list(session.history) == self.records  # append-only
        assert session.fingerprint() == self.prints[session.head] == session.weights.fingerprint()
        assert not session.snapshots.changed_outside()
        assert not session.turn.taken
        assert session.snapshots.holds(session.head)
        assert session.snapshots.holds(0)
        assert session.head in session.history.path(session.head)
        assert session.history.branch in session.history.branches
        assert session.head in session.history.path(session.history.branches[session.history.branch])
        assert self.on_branches() == set(range(len(self.prints))) - self.forgotten  # no step is left without a branch
        assert not session.history.can_redo or session.history.next() not in self.forgotten
        store = session.snapshots.store
        assert set(store._held) <= self.needed()  # nothing leaks
        assert store.memory_bytes == sum(value.bytes_in_memory for value in store._held.values())
        assert store.disk_bytes == sum(value.bytes_on_disk for value in store._held.values()) <= store.disk_budget
        assert "memory_budget" in self.budget or store._folder is None

    @invariant()
    def every_kept_step_has_its_weights(self):
        if hasattr(self, "session") and len(self.prints) % 5 == 0:
            for step in self.session.snapshots.steps():
                assert self.session.snapshots[step].weights.fingerprint() == self.prints[step]


def test_two_thousand_random_operations_keep_all_laws():
    Operations.done = 0
    run_state_machine_as_test(
        Operations,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=OPERATIONS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Operations.done >= 2000
