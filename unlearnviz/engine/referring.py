"""Referring: the verbs of a session that put something trustworthy beside its numbers: a plain loop, or a twin that somebody has already."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from unlearnviz.engine.checking import Check, check_reading
from unlearnviz.engine.events import Event, TwinReady
from unlearnviz.engine.given import LeftOut, add_given_twin
from unlearnviz.engine.progress import Progress, drain

if TYPE_CHECKING:
    from unlearnviz.engine.probes.probe import Probe
    from unlearnviz.engine.session import Session
    from unlearnviz.engine.turn import Turn
    from unlearnviz.engine.twin import Twin


class Referring:
    """What a `Session` can say for its numbers."""

    turn: Turn
    checks: Mapping[str, Check] = MappingProxyType({})  # label -> the last check of that reading; replaced as a whole

    def _emit(self, event: Event) -> None:
        raise NotImplementedError

    @property
    def head(self) -> int:
        """Id of the step we stand on."""
        raise NotImplementedError

    def check(self, probe: Probe | str = "perplexity") -> Check:
        """A reading of the present weights, and the same recomputed by a plain loop over a stock transformers model: see `Check`.

        Raises:
            NotPossible: no plain loop is defined for this probe; the message names those that have one.
            BadForgetSet: nothing is picked.
        """
        return drain(self.checking(probe))

    def checking(self, probe: Probe | str = "perplexity") -> Generator[Progress, None, Check]:
        """`check` as an iterator; returns the Check."""
        with self.turn.take("a check of a number"):
            found = yield from check_reading(cast("Session", self), probe)
        self.checks = {**self.checks, found.reading.label: found}
        return found

    def add_twin(self, folder: str | Path, left_out: LeftOut = None, *, seed: int | None = None) -> Twin:
        """Use a model that somebody retrained as a twin: a folder of safetensors on this machine, never a name on a hub.

        Args:
            folder: as `save_pretrained` writes it; it needs no tokenizer.
            left_out: the people or passage ids that it never saw; the present forget set where nothing is said.
            seed: of its training; the first that no twin of these texts has yet where nothing is said.

        Raises:
            BadModel: no such folder, pickled weights, or another model than this one; nothing is kept of it.
            UnknownName, BadForgetSet: texts that this corpus does not teach, or none.
        """
        with self.turn.take("adding a twin"):
            twin = add_given_twin(cast("Session", self), folder, left_out, seed)
        self._emit(TwinReady(self.head, tuple(sorted(twin.left_out))))
        return twin
