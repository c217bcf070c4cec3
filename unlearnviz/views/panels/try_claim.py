"""Try a claim: choose one, say which line will move most, take its steps, and read what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.views.controls import button
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.prediction import ANSWERS, compared, steps_taken
from unlearnviz.views.presets import PRESETS, Preset
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnviz.engine.history import History, StepRecord
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.picture import Picture

CHOOSE, GUESS = "a claim to try", "which line will move most?"
LOCKED = "Try a claim: say first which line will move most, under Start; or leave the claim there."
PICK = "Pick somebody to forget first."
WHOLE = "Nothing is damaged here yet: try the claim \N{LEFT SINGLE QUOTATION MARK}Too many steps\N{RIGHT SINGLE QUOTATION MARK} first."
OVER = " The run stopped there: the retain texts surprise the model over 3 times as much as at the start."
LEFT = "Left, because what it was about is not there any more: {why}. Choose it again to try it from here."
DAMAGE = 1.05  # times the start's retain perplexity


class TryClaim(Panel):
    """A claim, a prediction, its steps, and the comparison."""

    title = "Try a claim"
    terms = ("claim", "verdict")
    view, column, order = "Start", 2, 1
    folded = True

    def build(self) -> list[widgets.Widget]:
        """The list of claims, the prediction, the button for the steps, the way out, and what came of it."""
        self.preset: Preset | None = None
        self._from: tuple[History, int, Reading] | None = None  # history, step and perplexity where the prediction was given
        common = {"style": {"description_width": "initial"}, "layout": {"width": "97%"}}
        self.claim = widgets.Dropdown(
            description="Claim", options=[(CHOOSE, ""), *((preset.title, preset.title) for preset in PRESETS)], **common
        )
        self.said = Sentence()
        self.guess = widgets.Dropdown(description="I say", options=[(GUESS, ""), *((each, each) for each in ANSWERS)], **common)
        self.take = button("Take the steps", self._take, tooltip="The steps of this claim, one after the other; Step takes one of them")
        self.out = button("Leave the claim", self._leave, tooltip="Step is free again; what was done stays")
        self.found = Sentence()
        self.claim.observe(self._chosen, "value")
        self.guess.observe(self._guessed, "value")
        row = widgets.HBox([self.take, self.out], layout={"flex_flow": "row wrap"})
        self.enable(idle=not self.state.lasting)
        return [self.claim, self.said, self.guess, row, self.found]

    def _chosen(self, change: dict[str, str]) -> None:
        """Steering is set, and Step waits for the prediction; where the claim cannot be tried from here, the reason is said."""
        self._forget_it()
        if change["new"]:
            self.preset = next(preset for preset in PRESETS if preset.title == change["new"])
            picture = self.state.picture
            self.found.text = ""
            hindered = _in_the_way(self.preset, picture)
            place = self.preset.place(picture.blocks)
            steps = f"{self.preset.steps} steps of {self.preset.method} at {place}"
            self.said.text = f"{self.preset.claim} {hindered or f'Tried by {steps}.'}"
            if hindered:
                self.preset = None
            else:
                self.take.description = f"Take the {self.preset.steps} steps"
                self.state.choose(self.preset.step(), place)
                self.state.locked = LOCKED
        self.enable(idle=not self.state.lasting)

    def _guessed(self, change: dict[str, str]) -> None:
        """The prediction frees Step; from here on is measured."""
        before = self.state.picture.now("perplexity")
        if change["new"] and self.preset is not None and before is not None:
            self._from = self.state.session.history, self.state.picture.step, before
            self.state.locked = ""
            self.found.text = f"Step is free: {self.preset.steps} of them, or all with one click."
        self.enable(idle=not self.state.lasting)

    def _take(self) -> None:
        if self.preset is not None and self._from is not None:
            left = self.preset.steps - len(self._since(self.state.picture) or ())
            method, place = self.preset.step(), self.preset.place(self.state.picture.blocks)
            self.state.choose(method, place)
            self.state.run(max(1, left), method)

    def _leave(self) -> None:
        self.claim.value = ""
        self.said.text = self.found.text = ""

    def _forget_it(self) -> None:
        """No claim is tried any more; Step is free."""
        self.preset = self._from = None
        self.guess.value = ""
        if self.state.locked == LOCKED:
            self.state.locked = ""

    def show(self, picture: Picture) -> None:
        """How far the steps are, or what moved."""
        records, why = self._since(picture), self._gone(picture)
        if why:
            self._leave()
            self.found.text = LEFT.format(why=why)
        elif self.preset is not None and self._from is not None and records:
            after = picture.now("perplexity")
            if not self._done(records):
                self.found.text = f"{len(records)} of {self.preset.steps} steps are taken."
            elif after is not None:
                self.found.text = self._compared(picture, after)
        self.enable(idle=not self.state.lasting)

    def _done(self, records: Sequence[StepRecord]) -> bool:
        """Whether all steps of the claim are taken, or the run of them ended by itself."""
        return self.preset is not None and bool(records) and (len(records) >= self.preset.steps or bool(records[-1].mark))

    def _compared(self, picture: Picture, after: Reading) -> str:
        assert self._from is not None
        records = self._since(picture) or ()
        people = {passage.subject for passage in picture.forget}
        whom = next(iter(people)) if len(people) == 1 and "" not in people else f"{len(picture.forget)} texts"
        ended = OVER if records[-1].mark == "overshoot" else ""
        measured = f" Measured once: this model, {whom}, {steps_taken(records)} from step {self._from[1]} on."
        return compared(str(self.guess.value), self._from[2], after, picture.spread) + ended + measured

    def _since(self, picture: Picture) -> tuple[StepRecord, ...] | None:
        """The steps from where the prediction was given to the head; None where the head is not below it."""
        if self._from is None or self._from[1] not in picture.path:
            return None
        first, last = picture.path.index(self._from[1]), picture.path.index(picture.step)
        return picture.records[first + 1 : last + 1] if last >= first else None

    def _gone(self, picture: Picture) -> str:
        """Why the claim cannot be followed any more; "" while it can."""
        if self.preset is None or self._from is None:
            return ""
        history, _, before = self._from
        if history is not self.state.session.history:
            return "another history was taken up"
        if before.passages.get("forget") != tuple(passage.id for passage in picture.forget):
            return "others were picked"
        return "you went back before it, or to another branch" if self._since(picture) is None else ""

    def enable(self, *, idle: bool) -> None:
        """A claim is chosen and its steps are taken while nothing runs; it can always be left."""
        measured = self.state.picture.now("perplexity") is not None
        self.claim.disabled = not idle
        self.guess.disabled = not idle or self.preset is None or self._from is not None or not measured
        self.take.disabled = not idle or self._from is None or self._done(self._since(self.state.picture) or ())
        self.out.disabled = self.preset is None and not self.said.text

    def turned(self, *, unfolded: bool) -> None:
        """Closing it leaves the claim, so that nothing hidden locks Step."""
        if not unfolded:
            self._leave()

    def leave(self) -> None:
        """Lock nothing any more."""
        self._forget_it()


def _in_the_way(preset: Preset, picture: Picture) -> str:
    """Why the claim cannot be tried from here; "" where it can."""
    if not picture.forget:
        return PICK
    if preset.damaged:
        now, start = (_retain(each) for each in (picture.now("perplexity"), picture.start.get("perplexity")))
        if now is None or start is None or now <= DAMAGE * start:
            return WHOLE
    return ""


def _retain(reading: Reading | None) -> float | None:
    rows = {row["group"]: row["perplexity"] for row in reading.rows} if reading is not None else {}
    return rows.get("retain", rows.get("neighbours"))
