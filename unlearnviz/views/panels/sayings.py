"""What it says now: prompts continued at the start, now, and by the twin, side by side, changed words marked."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.probes.generation import Generation, half_prompt
from unlearnviz.views.explained import explained
from unlearnviz.views.fold import folded
from unlearnviz.views.on_request import OnRequest
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.tokens import TokenText

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Reading
    from unlearnviz.views.picture import Picture

SHOWN = 5
AT_ONCE = 2  # the others are a click away
TOKENS = (24, 40)  # to write: at least, where a prompt nearly fills the model's context, and at most
HINT = "Greedy: always the likeliest next word. Underlined words differ from the start. Edit a prompt to ask anything."
SILENT = "(nothing: it stops here)"
UNPICKED = "(pick a text to forget first: prompts are answered together with its readings)"


class Sayings(Panel):
    """Up to five prompts of the picked texts, and one of your own; edit a prompt and it answers."""

    title = "What it says now"
    terms = ("generation",)
    view, column, order = "Start", 2, 0

    def build(self) -> list[widgets.Widget]:
        """A line to edit and three columns of text for each prompt."""
        self.prompts = [
            widgets.Textarea(
                rows=2,
                continuous_update=False,
                description=f"Prompt {k + 1}",
                style={"description_width": "60px"},
                layout={"width": "99%"},
            ).add_class("uv-saying")
            for k in range(SHOWN)
        ]
        self.answers = [
            explained(TokenText(columns=3, label=f"continuations of prompt {k + 1}"), "generation", "start", "now", "twin") for k in range(SHOWN)
        ]
        self.hint = widgets.Label(HINT)
        self.request = OnRequest(self.state, "generation")
        for prompt in self.prompts:
            prompt.observe(self._edited, "value")
        self.state.observe(self._put, "prompt")
        self._for: tuple[str, ...] = ()
        self._repeats = 0
        self._showing = False
        rows = [part for pair in zip(self.prompts, self.answers, strict=True) for part in pair]
        more = folded("More prompts", rows[2 * AT_ONCE :])
        return [*rows[: 2 * AT_ONCE], *more, self.hint, self.request.widget]

    def show(self, picture: Picture) -> None:
        """The answers of the present step beside those of the start and the twin."""
        asked = tuple(passage.id for passage in picture.forget)
        if asked != self._for or picture.repeats != self._repeats:
            brought = picture.prompts if picture.repeats != self._repeats else ()
            self._for, self._repeats = asked, picture.repeats
            self._fill(picture, brought)
        if picture.now("generation") is None and self.state.busy and "generation" not in self.state.on_request:
            return  # it is still written
        now, start, twin = (
            each.get("generation") for each in ({"generation": picture.now("generation")}, picture.start, picture.twin)
        )
        for prompt, answer in zip(self.prompts, self.answers, strict=True):
            first, here, other = (_text(reading, prompt.value) for reading in (start, now, twin))
            rows: list[Any] = []
            if prompt.value.strip() and not picture.forget:
                rows = [("now", [UNPICKED])]
            elif prompt.value.strip() and first is not None:
                rows = [
                    ("at the start", [first.strip() or SILENT]),
                    ("now", _marked(first, here) if here is not None else ["(not measured at this step)"]),
                    ("twin", [other.strip() or SILENT if other is not None else "(no twin for these texts)"]),
                ]
            answer.update(rows)

    def _fill(self, picture: Picture, brought: tuple[str, ...] = ()) -> None:
        """Prompts of the picked texts, or those that a recipe brought along; asked together with the next measurement."""
        own = dict.fromkeys(half_prompt(p.text, p.answer_start) for p in picture.forget)
        prompts = list(brought or own)[:SHOWN]
        self.state.session.prompts = brought
        self._showing = True
        try:
            for k, field in enumerate(self.prompts):
                field.value = prompts[k] if k < len(prompts) else ""
                self.answers[k].update(())
        finally:
            self._showing = False
        self.state.probe(self._asking(*brought[:SHOWN]), self.view)  # no longer the prompts that were edited for other texts
        reading = picture.now("generation")
        if reading is not None and any(_text(reading, prompt) is None for prompt in prompts):
            self.ask()  # a new forget set after edited prompts

    def _edited(self, _change: object) -> None:
        if not self._showing:
            self.state.session.prompts = self._written()
            self.ask()
            if not self.state.picture.forget:
                self.show(self.state.picture)

    def _put(self, change: dict[str, str]) -> None:
        """A prompt that another panel offers takes the second place, beside the first of the picked texts."""
        if change["new"]:
            self.prompts[1].value = change["new"]

    def ask(self) -> None:
        """Have the present prompts answered."""
        written = self._written()
        if written:
            self.state.probe(self._asking(*written), self.view)
            self.state.soon(lambda: self.state.ask("generation"), "ask")

    def _written(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field.value for field in self.prompts if field.value.strip()))

    def _asking(self, *prompts: str) -> Generation:
        """Long answers, but not so long that prompts would be cut to make room."""
        model, (least, most) = self.state.session.model, TOKENS
        lengths = [len(model.encode(field.value)) for field in self.prompts]
        count = min(most, max(least, model.context - max(lengths)), model.context - 1)
        room = model.context - count
        long = [f"prompt {k + 1}" for k, length in enumerate(lengths) if length > room]
        cut = f" Of {' and '.join(long)} the model reads the last {room} tokens alone: more do not fit." if long else ""
        self.hint.value = HINT + cut
        return Generation(prompts=prompts, max_new_tokens=count)

    def enable(self, *, idle: bool) -> None:
        """Measuring waits for work; an edited prompt is remembered and answered when it ends."""
        self.request.enable(idle=idle)

    def leave(self) -> None:
        """Stop watching the switch, and what is put from elsewhere."""
        self.state.unobserve(self._put, "prompt")
        self.request.close()


def _text(reading: Reading | None, prompt: str) -> str | None:
    if reading is None:
        return None
    return next((row["text"] for row in reading.rows if row["prompt"] == prompt), None)


def _marked(before: str, after: str) -> list[tuple[str, None, str]]:
    """The words of `after`, those that differ from `before` marked; the spaces between them are not."""
    if not after.strip():
        return [(SILENT, None, "changed" if before.strip() else "")]
    old, new = before.split(), after.split()
    tokens: list[tuple[str, None, str]] = []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for k in range(start, end):
            tokens.append((new[k], None, "" if kind == "equal" else "changed"))
            tokens.append((" ", None, ""))
    return tokens[:-1]
