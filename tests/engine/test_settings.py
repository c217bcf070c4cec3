"""Settings: bounds, kinds and sentences, also for classes written in a notebook cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.settings import check_settings, setting
from unlearnviz.errors import BadSetting

# a notebook cell has no `from __future__ import annotations`: its annotations are types, not texts
CELL = """
@dataclass(frozen=True)
class Cell:
    count: int = setting(1, help="How many.", minimum=1, maximum=9)
    rate: float | None = setting(None, help="How fast.", above=0)
    free: float = setting(0.0, help="Any finite number.")
    share: int | float = setting(1, help="A whole number, or a part.", minimum=0)
    most: None | int = setting(None, help="How many at most.")
    flag: bool = setting(False, help="Yes or no.")
    word: str = setting("a", help="One of two.", choices=("a", "b"))
    text: str = setting("", help="Anything.")
    plain: object = None
    def __post_init__(self):
        check_settings(self)
"""
namespace = {"dataclass": dataclass, "setting": setting, "check_settings": check_settings}
exec(compile(CELL, "cell", "exec", dont_inherit=True), namespace)
Typed = namespace["Cell"]
exec(compile("from __future__ import annotations\n" + CELL, "cell", "exec", dont_inherit=True), namespace)
Texts = namespace["Cell"]


@pytest.mark.parametrize("cls", [Typed, Texts], ids=["types", "texts"])
@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"count": 0}, "Cell(count=0) is out of range; allowed is at least 1 and at most 9."),
        ({"count": 10}, "Cell(count=10) is out of range; allowed is at least 1 and at most 9."),
        ({"count": 1.5}, "Cell(count=1.5) is not a whole number; allowed is at least 1 and at most 9."),
        ({"count": True}, "Cell(count=True) is not a finite number; allowed is at least 1 and at most 9."),
        ({"count": "3"}, "Cell(count='3') is not a finite number; allowed is at least 1 and at most 9."),
        ({"count": None}, "Cell(count=None) is not a finite number; allowed is at least 1 and at most 9."),
        ({"rate": 0}, "Cell(rate=0) is out of range; allowed is above 0."),
        ({"rate": float("inf")}, "Cell(rate=inf) is not a finite number; allowed is above 0."),
        ({"rate": float("nan")}, "Cell(rate=nan) is not a finite number; allowed is above 0."),
        ({"free": float("nan")}, "Cell(free=nan) is not a finite number."),
        ({"free": "x"}, "Cell(free='x') is not a finite number."),
        ({"share": -0.5}, "Cell(share=-0.5) is out of range; allowed is at least 0."),
        ({"share": "1"}, "Cell(share='1') is not a finite number; allowed is at least 0."),
        ({"most": 1.5}, "Cell(most=1.5) is not a whole number."),
        ({"flag": 1}, "Cell(flag=1) is neither True nor False."),
        ({"word": "c"}, "Cell(word='c') is not one of its choices. Known: 'a', 'b'."),
    ],
)
def test_what_cannot_be_is_a_sentence(cls, given, sentence):
    with pytest.raises(BadSetting) as caught:
        cls(**given)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("cls", [Typed, Texts], ids=["types", "texts"])
@pytest.mark.parametrize(
    "given",
    [
        {}, {"count": 9}, {"rate": 1e-9}, {"rate": None}, {"rate": 2}, {"free": -3}, {"share": 0.5}, {"share": 2}, {"most": 3}, {"most": None},
        {"flag": True}, {"text": "x"}, {"plain": float("nan")},
    ],
)  # fmt: skip
def test_what_can_be_is_taken(cls, given):
    made = cls(**given)
    assert all(repr(getattr(made, name)) == repr(value) for name, value in given.items())


def test_numpy_numbers_become_plain_ones():
    made = Texts(count=np.int64(3), rate=np.float32(0.5), flag=np.bool_(True))
    assert (type(made.count), type(made.rate), made.flag) == (int, float, True)
    with pytest.raises(BadSetting, match="is out of range"):
        Texts(count=np.int64(30))


def test_a_recipe_is_checked_and_follows_its_schedule():
    recipe = Recipe(epochs=1, learning_rate=0.1, warmup=10, floor=0.1)
    rates = [recipe.rate(k, 200) for k in range(200)]
    assert rates[:10] == [pytest.approx(0.01 * k) for k in range(1, 11)]
    assert rates[10] == pytest.approx(0.1)
    assert rates[105] == pytest.approx(0.055)  # half way down the cosine
    assert rates[-1] == pytest.approx(0.01, rel=1e-2)
    assert recipe.rate(0, 20) == pytest.approx(0.05)  # warm-up of at most a tenth
    for bad in ({"epochs": 0}, {"learning_rate": -1}, {"clip": 0}, {"batch_size": 2.5}, {"beta2": float("nan")}):
        with pytest.raises(BadSetting):
            Recipe(**bad)
