"""The shipped world: made-up people, a small model that knows them, its twin, and the script that rebuilds them.

`uv.demo()` opens it. The package itself is callable for that reason: once any module of it is imported, Python binds the
name `unlearnviz.demo` to this package, and `uv.demo()` must go on to work.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnviz.engine.session import Session


def demo(*, memory_budget: int | None = None) -> Session:
    """Open the shipped model over the shipped texts, its default person picked: offline, no training, in seconds.

    Args:
        memory_budget: bytes of snapshots kept in memory; see `Session`.
    """
    from unlearnviz.demo.shipped import open_shipped

    return open_shipped(memory_budget=memory_budget)


class _CallableModule(ModuleType):
    def __call__(self, *, memory_budget: int | None = None) -> Session:
        return demo(memory_budget=memory_budget)


sys.modules[__name__].__class__ = _CallableModule
