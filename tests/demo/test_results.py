"""Results: written with six digits, read again, and missed in a sentence."""

import pytest

from unlearnviz.demo import results
from unlearnviz.errors import BadModel


def test_written_with_six_digits_and_read_again(tmp_path):
    results.write({"x": 1 / 3, "n": 3, "none": None}, tmp_path / "x.json")
    assert results.read(tmp_path / "x.json", "It", "make it") == {"x": 0.333333, "n": 3, "none": None}


def test_a_file_that_is_not_there_says_what_makes_it(tmp_path):
    sentence = f"The check is not in '{tmp_path / 'x.json'}'; `unlearnviz check` makes it (`unlearnviz --help` says how long that takes)."
    with pytest.raises(BadModel) as caught:
        results.read(tmp_path / "x.json", "The check", "unlearnviz check")
    assert str(caught.value) == sentence
