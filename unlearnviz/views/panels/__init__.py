"""The panels of the dashboard, one per file."""

from __future__ import annotations

import importlib
import pkgutil

from unlearnviz.views.panels.panel import Panel


def all_panels() -> list[type[Panel]]:
    """Every panel class of this folder, by column and then from top to bottom."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(
        (cls for cls in Panel.__subclasses__() if cls.__module__.startswith(__name__)),
        key=lambda cls: (cls.column, cls.order),
    )
