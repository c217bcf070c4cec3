"""Settings as controls, and back."""

from __future__ import annotations

from dataclasses import dataclass, fields, make_dataclass

import ipywidgets as widgets
import pytest

from unlearnviz.engine.methods.method import Method, registry
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.errors import BadSetting
from unlearnviz.views.controls import Controls, button, close_all

SAMPLES = {"learning_rate": 0.123456789012, "updates": 7, "batch_size": 3, "optimizer": "AdamW", "weight_decay": 1e-05}


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """Every kind of setting that a person may write."""

    number: float = setting(0.1, help="h", minimum=0, maximum=1)
    both: float | int = setting(2, help="h")
    perhaps: float | None = setting(None, help="h", above=0)
    count: int = setting(3, help="h", minimum=1, maximum=9)
    some: int | None = setting(None, help="h", minimum=1)
    switch: bool = setting(default=False, help="h", advanced=True)
    word: str = setting("fact", help="h")
    choice: str = setting("a", help="h", choices=("a", "b"))
    several: tuple[str, ...] = setting((), help="h")
    hidden: int = 5

    def __post_init__(self):
        check_settings(self)


@pytest.mark.parametrize("name", list(registry))
def test_the_controls_of_every_method_give_back_the_same_settings(name):
    cls = registry[name]
    controls = Controls(cls)
    assert set(controls.by_name) == {each.name for each in fields(cls)}
    assert controls.value() == cls()
    chosen = {key: value for key, value in SAMPLES.items() if key in controls.by_name}
    controls.set(chosen)
    assert controls.value() == cls(**chosen)
    controls.set(cls().settings)
    assert controls.value() == cls()
    for each in controls.by_name.values():
        assert each.tooltip
        assert each.description
    controls.close()


def test_every_kind_of_setting_has_its_control():
    controls = Controls(Kinds)
    kinds = {name: type(control).__name__ for name, control in controls.by_name.items()}
    assert kinds == {
        "number": "Text", "both": "Text", "perhaps": "Text", "count": "BoundedIntText", "some": "Text", "switch": "Checkbox",
        "word": "Text", "choice": "Dropdown",
    }  # fmt: skip
    assert controls.value() == Kinds()
    controls.set(
        {
            "number": 0.3,
            "both": 1.5,
            "perhaps": 2.0,
            "count": 4,
            "some": 6,
            "switch": True,
            "word": "x",
            "choice": "b",
            "no": 1,
        }
    )
    assert controls.value() == Kinds(number=0.3, both=1.5, perhaps=2.0, count=4, some=6, switch=True, word="x", choice="b")
    controls.close()


def test_a_method_from_a_notebook_cell_hands_over_types_and_works_the_same():
    given = [
        ("rate", float, setting(0.5, help="h")),
        ("rounds", int, setting(2, help="h")),
        ("fast", bool, setting(default=True, help="h")),
    ]
    cell = make_dataclass("Cell", given, bases=(Method,), frozen=True, kw_only=True)
    controls = Controls(cell)
    assert isinstance(controls.by_name["rounds"], widgets.BoundedIntText)
    assert isinstance(controls.by_name["fast"], widgets.Checkbox)
    assert controls.value() == cell()
    controls.close()


@pytest.mark.parametrize("written, read", [("0,25", 0.25), (" 1e-3 ", 0.001), ("", None), ("  ", None), ("3", 3.0)])
def test_numbers_are_read_as_people_write_them(written, read):
    controls = Controls(registry["gradient-ascent"])
    controls.by_name["learning_rate"].value = written
    assert controls.value().learning_rate == read
    controls.close()


@pytest.mark.parametrize(
    "name, written, said",
    [
        (
            "learning_rate",
            "fast",
            r"GradientAscent\(learning_rate='fast'\) is not a number; write for example 0.25, or leave it empty.",
        ),
        ("learning_rate", "1.000,5", "is not a number"),
        ("learning_rate", "nan", "is not a finite number"),
        ("learning_rate", "inf", "is not a finite number"),
        ("learning_rate", "0", "is out of range; allowed is above 0"),
        ("update_norm", "-1", "is out of range; allowed is above 0"),
        ("weight_decay", "2", "is out of range; allowed is at least 0 and at most 1"),
        ("weight_decay", "", "is not a finite number; allowed is at least 0 and at most 1"),
        ("weight_decay", "0.1", "works with optimizer='AdamW' only"),
    ],
)
def test_what_cannot_be_is_a_sentence(name, written, said):
    controls = Controls(registry["gradient-ascent"])
    controls.by_name[name].value = written
    with pytest.raises(BadSetting, match=said):
        controls.value()
    controls.close()


def test_a_whole_number_that_is_none_is_a_sentence():
    controls = Controls(Kinds)
    controls.by_name["some"].value = "2.5"
    with pytest.raises(BadSetting, match="is not a whole number"):
        controls.value()
    controls.close()


def test_counts_are_held_within_their_bounds():
    control = Controls(registry["gradient-ascent"]).by_name["updates"]
    control.value = 0
    assert control.value == 1
    control.value = 5000
    assert control.value == 1000


def test_advanced_settings_are_folded_away():
    controls = Controls(registry["gradient-ascent"])
    *basic, head, body = controls.widget.children
    assert [each.description for each in basic] == ["learning rate", "update norm", "updates"]
    assert (head.title, head.unfolded, body.layout.display) == ("Advanced", False, "none")
    head.unfolded = True
    assert body.layout.display is None
    assert [each.description for each in body.children] == ["optimizer", "weight decay", "batch size"]
    head.unfolded = False
    assert body.layout.display == "none"


def test_closing_leaves_no_widget(living):
    controls = Controls(registry["gradient-ascent"])
    made = button("Go", lambda: None)
    assert living()
    controls.close()
    close_all(made)
    assert living() == []


def test_a_button_calls_without_arguments():
    heard = []
    button("Go", lambda: heard.append(1)).click()
    assert heard == [1]
