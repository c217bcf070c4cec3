"""Every error a person can meet, in one family.

    UnlearnvizError
    |- UnknownName        (KeyError)      a method, probe, subject, passage, branch or step that does not exist
    |- BadSetting         (ValueError)    a setting out of range, or two that contradict each other
    |- BadSelection       (ValueError)    `where=` text that cannot be read or matches no parameter
    |- BadForgetSet       (ValueError)    empty, covering everything, or overlapping the holdout
    |- BadCorpus          (ValueError)    a file or table that holds no usable texts
    |- BadModel           (ValueError)    a folder or model that cannot be used, with the reason
    |- BadLedger          (ValueError)    a ledger that is damaged, unfinished, or of another model or other texts
    |- BadRecipe          (ValueError)    a recipe of a session that is damaged, or of another model or other texts
    |- NotPossible        (RuntimeError)  nothing to undo, no recipe, a budget spent
    |- Busy               (RuntimeError)  another piece of work is running
    |- ChangedOutside     (RuntimeError)  someone edited the model behind the session's back
    |- Overshoot          (ArithmeticError) the step ended in a loss or a weight that is not finite
    |- Cancelled          (RuntimeError)  the person asked to stop; nothing changed
    |- SaveFailed         (OSError)       the disk refused; what was saved before is still readable
    `- MissingExtra       (ImportError)   an optional package is needed, with its install line

A message is one sentence or two: what was asked, what is wrong, what is allowed (the nearest name), what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnlearnvizError(Exception):
    """Root of the family: `except UnlearnvizError` catches all that unlearnviz raises on purpose."""

    def __str__(self) -> str:  # KeyError and OSError would quote or number the sentence
        return str(self.args[0]) if self.args else ""


class UnknownName(UnlearnvizError, KeyError):
    """A name that is not known here; the message offers the nearest one."""


class BadSetting(UnlearnvizError, ValueError):
    """A setting that is not a number, out of range, or in conflict with another."""


class BadSelection(UnlearnvizError, ValueError):
    """A `where=` text that cannot be read or that matches no parameter of this model."""


class BadForgetSet(UnlearnvizError, ValueError):
    """A forget set that is empty, covers everything, or overlaps the holdout."""


class BadCorpus(UnlearnvizError, ValueError):
    """A file or a table that does not hold usable texts."""


class BadModel(UnlearnvizError, ValueError):
    """A folder or a model that cannot be used."""


class BadLedger(UnlearnvizError, ValueError):
    """A ledger that is damaged, unfinished, or belongs to another model or other texts."""


class BadRecipe(UnlearnvizError, ValueError):
    """A recipe of a session that is damaged, or made on another model or other texts."""


class NotPossible(UnlearnvizError, RuntimeError):
    """A request that makes no sense in the present state, such as undo at the start."""


class Busy(UnlearnvizError, RuntimeError):
    """Another piece of work holds the session."""


class ChangedOutside(UnlearnvizError, RuntimeError):
    """The model's weights were edited by something other than the session."""


class Overshoot(UnlearnvizError, ArithmeticError):
    """A step ended in a loss or a weight that is not a finite number; it was not kept."""


class Cancelled(UnlearnvizError, RuntimeError):
    """The work was stopped on request; nothing changed."""


class SaveFailed(UnlearnvizError, OSError):
    """Writing failed; an earlier save at the same place is still readable."""


class MissingExtra(UnlearnvizError, ImportError):
    """An optional package is not installed."""


def nearest(name: object, known: Iterable[object]) -> str:
    """' Did you mean 'x'? Known: 'x', 'y'.' for a name that is not in `known` (at most eight are listed)."""
    names = [str(each) for each in known]
    lowered = {each.lower(): each for each in reversed(names)}
    close = difflib.get_close_matches(str(name).lower(), list(lowered), n=1, cutoff=0.5)
    hint = f" Did you mean {lowered[close[0]]!r}?" if close else ""
    if not names:
        return hint + " None are known here."
    listed = ", ".join(repr(each) for each in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{hint} Known: {listed}{more}."


def unknown(kind: str, name: object, known: Iterable[object]) -> UnknownName:
    """The error for a name that is not known: `raise unknown("method", asked, registry)`."""
    return UnknownName(f"No {kind} named {str(name)!r}.{nearest(name, known)}")
