"""What keys press: each one exactly one widget of a dashboard."""

import ipywidgets
import pytest

from tests.engine import worlds
from unlearnviz.views.controls import every
from unlearnviz.views.dashboard import Dashboard
from unlearnviz.views.keys import NAMES, keyed


def test_every_key_finds_one_widget_once_its_view_was_shown(living):
    dashboard = Dashboard(worlds.session())
    dashboard.state.show("Neighbours")
    for name in NAMES:
        found = [each for each in every(dashboard) if f"uv-key-{name}" in getattr(each, "_dom_classes", ())]
        assert len(found) == 1, name
    dashboard.close()
    assert living() == []


def test_an_unknown_key_is_named_with_those_there_are():
    button = ipywidgets.Button()
    with pytest.raises(ValueError, match=r"No key is called 'jump'; there are step, undo, redo, stop, scrub, search\."):
        keyed(button, "jump")
    button.close()
