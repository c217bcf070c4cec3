"""Neighbours: texts that look like the ones to forget; what differs in them, what moved, and which to add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import ipywidgets as widgets

from unlearnviz.engine.probes.model_similarity import ModelSimilarity
from unlearnviz.engine.similarity import SCORERS, Normalisation, Similarity
from unlearnviz.numbers import number
from unlearnviz.views.chart import Chart
from unlearnviz.views.comparing import Comparing
from unlearnviz.views.controls import button, close_all
from unlearnviz.views.explained import explained
from unlearnviz.views.figures import block_name
from unlearnviz.views.fold import Fold
from unlearnviz.views.losses import Losses
from unlearnviz.views.matches import SORTS, Matched, Measured
from unlearnviz.views.neighbour_figures import histogram
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.passages import PassageList
from unlearnviz.views.slider import Slider

if TYPE_CHECKING:
    from unlearnviz.engine.search import Matches
    from unlearnviz.views.picture import Picture

FIRST = 60  # of 100: from which similarity a text is listed at first
MEASURED = 200  # texts of the list that are measured when asked, at most
ALIKE = "model similarity"
DROP = {"style": {"description_width": "60px"}, "layout": {"width": "97%"}}
WAITING = "Scores appear here once texts to forget are picked and compared with all others."


class Neighbours(Panel):
    """Fuzzy matches, above a threshold that changes this list and never the measured groups."""

    title = "Neighbours"
    terms = ("neighbours", "similarity")
    view, column, order = "Neighbours", 1, 0

    def build(self) -> list[widgets.Widget]:
        """Threshold, histogram, how to sort, the list, what to do with it, and how to compare."""
        self.comparing, self.losses = Comparing(self.state), Losses(self.state, self.view)
        self.threshold = explained(Slider(label="Similar at least", minimum=0, maximum=100, step=1, value=FIRST), "similar-at-least", "similarity")
        self.histogram = explained(Chart(None, summary=WAITING), "similarity", "neighbours")
        self.sort = explained(widgets.Dropdown(description="Sort by", options=SORTS, **DROP), "similarity", "model-similarity")
        self.list = PassageList(
            label="Fuzzy matches", empty="No text is this similar.", height=330, on_toggle=self._add, on_leave=self._leave
        )
        self.all = button("Add all", self._add_all, tooltip="All taught texts of the list, save those left out")
        self.back = button("Undo the last pick", self.state.unpick, tooltip="The forget set as it was before it")
        self.measure = button("Measure these", self._measure)
        self.exact: widgets.Button | None = None  # beside them while a result is approximate
        self.actions = widgets.HBox([self.all, self.back, self.measure], layout={"flex_flow": "row wrap"})
        self.advanced = Fold(self.state, "Advanced: how texts are compared", self._build_advanced, lambda _picture: None)
        self._matched: Matched | None = None
        self._left: frozenset[str] = frozenset()
        self._alike(ModelSimilarity(label=ALIKE))
        self.threshold.observe(self._draw, "value")
        self.sort.observe(self._draw, "value")
        self.state.observe(self._ended, "finished")
        return [self.threshold, self.histogram, self.sort, self.list, self.actions, *self.advanced.widgets]

    def _build_advanced(self) -> Sequence[widgets.Widget]:
        self.scorer = explained(widgets.Dropdown(description="Score", options=SCORERS, **DROP), "similarity")
        self.ignored = {
            each.name: widgets.Checkbox(
                value=bool(each.default), description=f"ignore {each.name}", tooltip=each.metadata["help"], indent=False
            )
            for each in fields(Normalisation)
        }
        layout = self.state.session.model.layout
        blocks = [(f"after {block_name(f'block {k}', layout.module)}", k + 1) for k in range(layout.blocks)]
        self.layer = widgets.Dropdown(
            description="Layer", options=[("embedding", 0), *blocks], tooltip="Where the model's similarity is taken", **DROP
        )
        explained(self.layer, "model-similarity", "block")
        for control in (self.scorer, *self.ignored.values()):
            control.observe(self._compare, "value")
        self.layer.observe(self._ask_at, "value")
        return [self.scorer, *self.ignored.values(), self.layer]

    def _alike(self, probe: ModelSimilarity) -> None:
        """The model's similarity, measured when asked."""
        self._alike_label = str(probe.label)
        self.state.probe(probe, self.view)
        self.state.live(self._alike_label, live=False)

    def _ask_at(self, change: dict[str, int]) -> None:
        layer = change["new"]
        self._alike(ModelSimilarity(layer=layer, label=ALIKE if layer == 0 else f"{ALIKE}, layer {layer}"))
        self.show(self.state.picture)

    def _compare(self, _change: object) -> None:
        """Another score, or other differences that do not count."""
        ignored = Normalisation(**{name: box.value for name, box in self.ignored.items()})
        self.comparing.similarity = Similarity(self.scorer.value, ignored)
        self.show(self.state.picture)

    def _compare_exactly(self) -> None:
        self.comparing.exact = True
        self.show(self.state.picture)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def show(self, picture: Picture) -> None:
        """The matches of the present forget set."""
        found = self.comparing.ask(picture)
        matched = None if found is None else self._match(picture, found)
        if matched is None or matched is not self._matched:  # most steps change nothing here
            self._matched = matched
            self._draw()

    def _ended(self, _change: object) -> None:
        """Texts may have been compared, which changes no picture."""
        if self._matched is None and self.state.picture.forget:
            try:
                self.show(self.state.picture)
            except Exception as error:  # in a callback nobody would see it
                self.state.failed(error)

    def _match(self, picture: Picture, found: Matches) -> Matched:
        """Scores and measurements together; the same object where nothing is new, so that the page is sent nothing."""
        known, measured = self._matched, self._measured(picture)
        if known is not None and known.found is found and (known.measured, known.left) == (measured, self._left):
            return known
        return Matched(self.comparing.candidates, picture.forget, found, self.comparing.similarity, measured, self._left)

    def _measured(self, picture: Picture) -> Measured:
        step, loss, start = self.losses.look(picture)
        alike = picture.latest(self._alike_label, picked=True)
        return Measured(
            loss=loss,
            start=start,
            alike={row["passage"]: row["similarity"] for row in (alike.rows if alike is not None else ())},
            loss_old=step not in (None, picture.step),
            alike_old=alike is not None and alike.step != picture.step,
            alike_note=alike.note if alike is not None else "",
        )

    def _draw(self, _change: object = None) -> None:
        matched, threshold = self._matched, self.threshold.value
        at = f"{number(threshold)} of 100"
        if matched is None:
            self.threshold.words = at
            self.histogram.update(None, summary=WAITING)
            self.list.rows = []
        else:
            count = matched.count(threshold)
            self.threshold.words = f"{at}: {count:,} text{'s' if count != 1 else ''}"
            figure, sentence = histogram(matched, threshold)
            self.histogram.update(figure, summary=f"{sentence}{self._sorting(matched)}")
            self.list.rows = matched.rows(threshold, self.sort.value)
        self._offer_exact(wanted=matched is not None and not matched.found.exact)
        self.enable(idle=not self.state.lasting)

    def _offer_exact(self, *, wanted: bool) -> None:
        """One click from an approximate result to the exact one."""
        if wanted and self.exact is None:
            self.exact = button(
                "Compare all texts", self._compare_exactly, tooltip="Exact: takes longer, and can be stopped"
            )
            self.actions.children = (*self.actions.children, self.exact)
        elif self.exact is not None and not wanted:
            self.actions.children = self.actions.children[:-1]
            close_all(self.exact)
            self.exact = None

    def _sorting(self, matched: Matched) -> str:
        """How the model was asked, or what is missing for the sort that was chosen."""
        known = {SORTS[1]: matched.measured.alike, SORTS[2]: matched.measured.loss}.get(self.sort.value, {"": 0.0})
        if not known:
            return f" Not sorted by {self.sort.value} yet: the button below the list measures it."
        return f" {matched.measured.alike_note}" if self.sort.value == SORTS[1] else ""

    # -- what is done -------------------------------------------------------------------------------------------------

    def _add(self, passage: str) -> None:
        self.state.pick([*self.state.picture.forget, passage])

    def _add_all(self) -> None:
        if self._matched is not None:
            self.state.pick([*self.state.picture.forget, *self._matched.addable(self.threshold.value)])

    def _leave(self, passage: str) -> None:
        """Leave a text out of "add all", or do not any more."""
        self._left ^= {passage}
        self.show(self.state.picture)

    def _measure(self) -> None:
        """What the model makes of the first texts of the list, now and at the start; or whom it reads as like."""
        if self._matched is None:
            return
        if self.sort.value == SORTS[1]:
            label = self._alike_label
            self.state.soon(lambda: self.state.ask(label), f"ask {ALIKE}")
            return
        first = self._matched.above(self.threshold.value, self.sort.value)[:MEASURED]
        self.losses.ask(passage.id for passage in self._matched.passages(first))

    def enable(self, *, idle: bool) -> None:
        """Nothing is added or measured while work runs, nor where there is nothing to."""
        matched, threshold = self._matched, self.threshold.value
        count = 0 if matched is None else matched.count(threshold)
        addable = 0 if matched is None else matched.addable_count(threshold)
        self.all.description = f"Add all {addable:,} to the forget set"
        self.measure.description = (
            "Ask the model" if self.sort.value == SORTS[1] else f"Measure the first {min(count, MEASURED)}"
        )
        self.list.disabled = not idle
        self.all.disabled = not idle or not addable
        self.measure.disabled = not idle or not count
        self.back.disabled = not idle or not self.state.can_unpick
        if self.exact is not None:
            self.exact.disabled = not idle

    def leave(self) -> None:
        """Stop watching for the end of work."""
        self.state.unobserve(self._ended, "finished")
