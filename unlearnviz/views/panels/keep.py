"""Keep: the recipe of the session to take away and to bring back, the script that rebuilds it, and what can be continued."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from unlearnviz.engine.progress import Progress
from unlearnviz.engine.recipe_reading import read_recipe
from unlearnviz.errors import BadRecipe
from unlearnviz.views.controls import button, close_all
from unlearnviz.views.handing import Handing
from unlearnviz.views.panels.panel import Panel
from unlearnviz.views.runner import back_here
from unlearnviz.views.sentence import Sentence

if TYPE_CHECKING:
    from unlearnviz.views.picture import Picture
    from unlearnviz.views.state import SessionState

THINGS = {
    "recipe": {
        "label": "The recipe",
        "file": "unlearnviz-recipe.json",
        "type": "application/json",
        "buttons": {"download": "Download", "copy": "Copy as text"},
        "title": "A few kB: picks, steps, settings, seeds and prompts, without weights",
    },
    "python": {
        "label": "Python that rebuilds the present state",
        "file": "unlearnviz_session.py",
        "type": "text/x-python",
        "buttons": {"show": "As Python"},
        "title": "A short script without widgets",
    },
}
SAVED = "Recipe {recipe}. It {is_} saved after every step, to {path}; unlearnviz run RECIPE takes all steps again without this page."
REFUSED = "The recipe cannot be saved"


class Keep(Panel):
    """A folded line in the header; above it, where an earlier session left something, the offer to continue."""

    title = "Keep"
    terms = ("recipe",)
    column, order = 2, 0
    folded = True

    def __init__(self, state: SessionState) -> None:
        super().__init__(state)
        self._offer: widgets.Box | None = None
        self._question: widgets.Box | None = None  # there while it is asked
        state.observe(self._on_offer, "continuable")
        state.keep()

    def build(self) -> list[widgets.Widget]:
        """Buttons, and where the recipe is saved."""
        self.handing = Handing(THINGS, self._make, self._upload, "Upload")
        self.where = Sentence()
        self.taking = widgets.VBox([self.handing])
        return [self.taking, self.where]

    def show(self, picture: Picture) -> None:
        """Where the recipe lies, or why it lies nowhere."""
        self._dismiss()
        refusal = next((note for note in picture.notes if note.startswith(REFUSED)), "")
        session = self.state.session
        is_ = "is" if session.autosaved else "will be"
        self.where.text = refusal or SAVED.format(recipe=picture.recipe, path=session.autosave(), is_=is_)

    def enable(self, *, idle: bool) -> None:
        """A recipe is made between two pieces of work."""
        self.handing.idle = idle

    def _make(self, what: str, hand: Callable[[str], None]) -> None:
        """The text of what was asked for, made as work once nothing else runs: the hashes of a large model take seconds."""
        session, deliver = self.state.session, back_here(hand)

        def work() -> Iterator[Progress]:
            yield Progress(0, 1, "writing it down")
            deliver(session.recipe().to_text() if what == "recipe" else session.as_python())

        self.state.soon(lambda: self.state.start(f"making the {what}", work(), quiet=True), f"hand {what}")

    # -- a recipe that comes -------------------------------------------------------------------------------------------

    def _upload(self, text: str) -> None:
        """At once where there is no step that it would take the place of; else the page asks first."""
        self._dismiss()
        session = self.state.session
        steps = session.history.own
        if not steps or not _readable(text):
            self.state.upload(text)  # which says what is wrong with it
            return
        refused = any(note.startswith(REFUSED) for note in session.notes)
        stay = f"{'is' if steps == 1 else 'are'} lost" if refused else f"stay{'s' if steps == 1 else ''} saved in {session.autosave()}"
        asked = f"Take up this recipe? The {steps} step{'' if steps == 1 else 's'} of this history {stay}; the page goes on from the recipe's."

        def take() -> None:
            self._dismiss()
            self.state.upload(text)

        no = button("No", self._dismiss, tooltip="Keep this history")
        self._question = widgets.HBox([Sentence(asked), button("Yes, take it up", take), no]).add_class("uv-offer")
        self.taking.children = (self.handing, self._question)

    def _dismiss(self) -> None:
        if self._question is not None:
            asked, self._question = self._question, None
            self.taking.children = (self.handing,)
            close_all(asked)

    # -- the offer ----------------------------------------------------------------------------------------------------

    def _on_offer(self, change: dict[str, Any]) -> None:
        try:
            self._show_offer(change["new"])
        except Exception as error:  # in a callback nobody would see it
            self.state.failed(error)

    def _show_offer(self, offer: Any) -> None:
        if self._offer is not None:
            offered, self._offer = self._offer, None
            self.widget.children = tuple(each for each in self.widget.children if each is not offered)
            close_all(offered)
        if offer is not None:
            steps = len(offer.recipe.needed)
            count = f"{'a training, which takes its time again, and ' if offer.recipe.learned else ''}{steps} step{'' if steps == 1 else 's'}"
            said = Sentence(f"An earlier session of this model and these texts ({count}, {_ago(offer.saved)}) can be continued.")
            yes = button(f"Continue at step {offer.recipe.head}?", self.state.resume, tooltip="Takes all its steps again, exactly", primary=True)
            no = button("Not now", self.state.decline, tooltip=f"Go on from here; the earlier session stays saved, in {offer.path}")
            self._offer = widgets.HBox([said, yes, no]).add_class("uv-offer")
            self.widget.children = (*self.widget.children, self._offer)

    def close(self) -> None:
        """Stop watching the offer."""
        self.state.unobserve(self._on_offer, "continuable")
        super().close()


def _readable(text: str) -> bool:
    try:
        read_recipe(text)
    except BadRecipe:
        return False
    return True


def _ago(saved: float) -> str:
    """How long ago, roughly."""
    minutes = max(0.0, time.time() - saved) / 60
    if minutes < 1:
        return "just now"
    if minutes < 90:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days ago"
