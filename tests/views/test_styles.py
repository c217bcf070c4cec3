"""Styles: one look per group and per state, told apart without colour, and seen on white paper."""

import re
from pathlib import Path

import pytest

from unlearnviz.views import styles
from unlearnviz.views.styles import COLOURS, DASHES, MARKERS, NOW, START, TWIN

VIEWS = Path(styles.__file__).parent
GROUND = {"#EBF0F8", "#2a3f5f"}  # plotly's own grid and letters, which the page replaces by its own
SCALE = {colour for _, colour in styles.DIVERGING}  # cells of a map, each beside a number


def contrast(one, other):
    """How far two colours are apart, 1 to 21, as WCAG 2 defines it."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_groups_are_told_apart_by_colour_by_dash_and_by_marker():
    for by in (COLOURS, DASHES, MARKERS):
        assert list(by) == ["forget", "neighbours", "retain", "never seen"]
        assert len(set(by.values())) == 4


def test_now_start_and_twin_are_told_apart_by_their_lines_and_from_every_group():
    assert len({state.dash for state in (NOW, START, TWIN)}) == len({state.marker for state in (NOW, START, TWIN)}) == 3
    assert {START.dash, TWIN.dash}.isdisjoint(DASHES.values())
    assert (NOW.colour, NOW.dash, NOW.marker) == (COLOURS["forget"], DASHES["forget"], MARKERS["forget"])


@pytest.mark.parametrize("path", [*VIEWS.glob("*figure*.py"), VIEWS / "styles.py"], ids=lambda path: path.name)
def test_every_colour_of_a_figure_stands_out_from_white(path):
    found = set(re.findall(r'"(#[0-9A-Fa-f]{6})"', path.read_text("utf-8"))) - GROUND - SCALE
    assert {colour: round(contrast(colour, "#FFFFFF"), 2) for colour in found if contrast(colour, "#FFFFFF") < 3} == {}


def test_only_styles_names_the_colours_of_groups_and_states():
    own = {*COLOURS.values(), START.colour, TWIN.colour}
    named = {
        path.name: used
        for path in VIEWS.glob("*figure*.py")
        if (used := own & set(re.findall(r'"(#[0-9A-Fa-f]{6})"', path.read_text("utf-8"))))
    }
    assert named == {"claim_figures.py": {"#D55E00", "#0072B2", "#5A5A5A"}}  # for and against a claim: no groups there
