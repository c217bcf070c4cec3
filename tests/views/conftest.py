"""What the tests of the views share: one thread, a cache of their own, and registries that forget what a test defined."""

from __future__ import annotations

import pytest
import torch
from ipywidgets.widgets import widget

from tests.engine import worlds
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.probe import registry as probes
from unlearnviz.views.state import SessionState


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """No test reads or writes the cache of the person who runs it; methods and probes that it defines go with it."""
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "cache"))
    for registry in (methods, probes):
        list(registry)
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))


@pytest.fixture
def living():
    """A function: the widgets made since the test began that are not closed yet."""
    before = set(widget._instances)
    return lambda: [each for key, each in widget._instances.items() if key not in before]


@pytest.fixture
def shown(living):
    """A function: a panel over a fresh state that is open and shows its view, `ready` before; closed at the end, with nothing left."""
    made = []

    def show(cls, ready=None, **options):
        state = SessionState(worlds.session(**options))
        state.view = cls.view or state.view
        if ready is not None:
            ready(state)
        panel = cls(state)
        made.append(panel)
        state.open()
        return panel, state

    yield show
    for panel in made:
        panel.close()
        left = panel.state._trait_notifiers.get("picture", {}).get("change", [])
        assert panel._on_picture not in left
    assert living() == []
