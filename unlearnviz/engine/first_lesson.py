"""A first lesson: a fresh small model with a tokenizer of its own is taught a corpus, on a laptop, and becomes a session."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnviz.engine.fresh import SIZES, fresh_model, train_tokenizer
from unlearnviz.engine.learning import Recipe, lessons
from unlearnviz.engine.notebook_line import notebook_line
from unlearnviz.engine.progress import Progress
from unlearnviz.engine.session import Session
from unlearnviz.engine.tracking import Tracking
from unlearnviz.errors import BadCorpus, BadSetting, Cancelled, nearest

if TYPE_CHECKING:
    from unlearnviz.engine.corpus import Corpus

BATCH_SIZE = 10  # texts per update: half of Recipe's learns the same in fewer seconds on few texts
FEWEST_UPDATES = 300  # a hundred texts need as many to be known by heart


@dataclass(frozen=True)
class Pace:
    """How fast a size learns: passes over a few hundred texts, and the peak rate. Measured on questions and answers of TOFU."""

    epochs: int
    learning_rate: float


PACES = {"tiny": Pace(40, 4e-3), "small": Pace(28, 2e-3)}


def learn(
    corpus: Corpus,
    size: str = "tiny",
    epochs: int | None = None,
    seed: int = 0,
    progress: Callable[[Progress], object] | None = None,
    track: Tracking | str | Iterable[str] | None = None,
) -> Session:
    """Teach a fresh model your texts; the session that comes back starts with what it has learned.

    Interrupting it (the square Stop button of a notebook's toolbar, Ctrl+C elsewhere) leaves nothing behind.

    Args:
        corpus: the texts; those of split "holdout" are seen neither by the model nor by its tokenizer.
        size: "tiny" (0.79 million parameters) or "small" (5.8 million parameters), a little less where few texts make a small
            vocabulary; both read 256 tokens.
        epochs: passes over the texts; by default as many as it takes to know a few hundred short texts by heart.
        seed: of the random start, of the order of the texts and of the session.
        progress: called with every report, about one per update. Without it a notebook shows a line with an estimate of the
            time left; elsewhere nothing is shown.
        track: texts (subjects or ids), or a `Tracking`: what to write into a ledger while it learns; see `session.ledger`.

    Raises:
        BadSetting: an unknown size, or epochs that are not a whole number of at least 1.
        BadCorpus: no text is to be taught.
        Cancelled: it was interrupted.
    """
    report = progress or notebook_line("Learning", "the square Stop button of the toolbar ends it and keeps nothing")
    work = learning(corpus, size, epochs, seed, track)
    try:
        while True:
            report(next(work))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    except KeyboardInterrupt:
        raise Cancelled("Learning was stopped, and nothing of the unfinished model was kept; uv.learn(...) starts anew.") from None
    finally:
        work.close()


def learning(
    corpus: Corpus,
    size: str = "tiny",
    epochs: int | None = None,
    seed: int = 0,
    track: Tracking | str | Iterable[str] | None = None,
) -> Generator[Progress, None, Session]:
    """`learn` as an iterator of Progress, for pages: closing it stops, its return value is the Session."""
    if size not in PACES:
        raise BadSetting(f"size={size!r} is not a size of a model that learns here.{nearest(size, PACES)}")
    if not corpus.train:
        raise BadCorpus("There is no text to learn: every passage of this corpus is held out as never seen. Say holdout=0.1, or split=.")
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
        raise BadSetting(f"epochs={epochs!r} is not a number of passes over the texts; allowed are whole numbers from 1.")
    tracking = None if track is None else Tracking.of(track)
    if tracking is not None:
        tracking.ids(corpus)  # what is not there is said before anything is made
    return _lesson(corpus, size, epochs or suited_epochs(corpus, size), seed, tracking)


def _lesson(corpus: Corpus, size: str, epochs: int, seed: int, tracking: Tracking | None) -> Generator[Progress, None, Session]:
    yield Progress(0, None, "making a tokenizer from the texts", 0.0)
    tokenizer = train_tokenizer([passage.text for passage in corpus.train], SIZES[size].vocabulary)
    model = fresh_model(tokenizer, size, seed=seed)
    session = Session(model, corpus, seed=seed, initial_seed=seed)
    cut = sum(model.cut_note(passage.text) is not None for passage in corpus.train)
    if cut:
        texts = "1 text has" if cut == 1 else f"{cut} texts have"
        session.notes.append(f"{texts} more than the {model.context} tokens that this model reads; what comes later in them is not learned.")
    recipe = Recipe(epochs=epochs, learning_rate=PACES[size].learning_rate, batch_size=BATCH_SIZE, seed=seed)
    yield from session.learning(recipe=recipe, track=tracking)
    return session


def suited_epochs(corpus: Corpus, size: str) -> int:
    """Passes after which a fresh model knows the texts of a corpus by heart: more where they are few."""
    per_epoch = math.ceil(len(lessons(corpus.train)) / BATCH_SIZE)
    return max(PACES[size].epochs, math.ceil(FEWEST_UPDATES / per_epoch))
