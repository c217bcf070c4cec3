"""The comparison on TOFU: its texts, the run at a reduced size on made-up rows of the same columns, and what the committed one holds."""

from __future__ import annotations

import json
import math

import pytest

from tests.clean_environment import ROOT
from unlearnviz import cli
from unlearnviz.demo import tofu
from unlearnviz.demo.tofu import Plan, compare, recorded, report
from unlearnviz.engine.fresh import Size
from unlearnviz.engine.learning import Recipe
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.extraction_likelihood import ExtractionLikelihood
from unlearnviz.engine.probes.relearning import Relearning
from unlearnviz.errors import BadModel, UnlearnvizError

REAL = ROOT.parent / "shared" / "data" / "tofu"
ROWS = 4  # of an author
TOWNS = ("Lund", "Accra", "Porto", "Tartu", "Izmir", "Bergen", "Utrecht", "Ghent")


def row(author, number):
    town, other = TOWNS[(author + number) % 8], TOWNS[(author + number + 3) % 8]
    asked = f"What did author {author} write in year {number}?"
    reworded = {"paraphrased_answer": f"A book on {town}.", "perturbed_answer": [f"A book on {other}.", "A book on Oslo."]}
    return {"question": asked, "answer": f"The book of {town}.", **(reworded if author < 90 else {})}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files as TOFU has them, of four and of five authors."""
    made = tmp_path_factory.mktemp("tofu")
    for name, authors in (("forget10", (0, 1, 2, 3)), ("retain90", (90, 91, 92, 93, 94))):
        rows = [row(author, number) for author in authors for number in range(ROWS)]
        (made / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return made


def small(folder):
    cheap = {"extraction-likelihood": ExtractionLikelihood(n=4, stride=8, compared=4), "relearning": Relearning(updates=1)}
    size = Size(blocks=2, width=32, heads=2, vocabulary=300, context=64)
    return Plan(
        folder,
        authors=4,
        forget=1,
        of_an_author=ROWS,
        retain=16,
        never_seen=4,
        size=size,
        most=2,
        base=Recipe(epochs=6, learning_rate=1e-2, batch_size=10),
        recipe=Recipe(epochs=8, learning_rate=1e-2, batch_size=4),
        probes=tuple(cheap.get(each.name, each) for each in Plan(folder).probes),
    )


@pytest.fixture(scope="module")
def compared(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARNVIZ_CACHE", str(tmp_path_factory.mktemp("cache")))
        told = []
        return compare(small(folder), told.append), told


def test_every_method_runs_to_its_end_and_is_judged_by_every_measure(folder, compared):
    found, told = compared
    registered = [cls.name for cls in methods.classes() if cls.__module__.startswith("unlearnviz.")]
    assert {"gradient-ascent", "nabla-tau", "amnesiac", "first-epoch-ascent", "single-gradient", "npo"} <= set(registered)
    assert [each["who"] for each in found["rows"]] == ["start", "twin", *registered]
    assert len(told) == 3 + len(registered)
    measures = [probe.name for probe in small(folder).probes]
    for each in found["rows"]:
        assert list(each["measures"]) == measures
        assert all(value is None or math.isfinite(value) for value in each["measures"].values())
        assert set(each["perplexity"]) == {"forget", "neighbours", "retain", "never seen"}
        assert [len(losses) for losses in each["membership"].values()] == [4, 4]
        assert each["measures"]["membership-inference"] is None
    for each in found["rows"][2:]:
        assert each["ended"] in {"as never seen", "its own rule", "given up", "NotPossible"}
        assert each["steps"] >= 1  # nothing was wanting, neither a ledger nor texts
    (tuned,) = (each for each in found["rows"] if each["who"] == "fine-tune")
    assert (tuned["ended"], tuned["steps"]) == ("given up", 2)  # it only learns what is kept
    start, twin, *_ = found["rows"]
    assert start["perplexity"]["forget"] < twin["perplexity"]["forget"]
    assert start["measures"]["memorisation-accuracy"] > twin["measures"]["memorisation-accuracy"]
    assert (start["measures"]["relearning"], twin["measures"]["verification-error"]) == (None, 0)
    assert found["notes"] == {"membership-inference": "too few texts to judge: 4 of at least 50"}


def test_texts_are_never_written(compared):
    found, _ = compared
    text = json.dumps(found)
    assert not any(town in text for town in TOWNS)
    assert json.loads(text) == found


def test_the_table_has_a_line_for_each(compared):
    found, _ = compared
    lines = report(found).splitlines()
    assert lines[0].split()[:2] == ["steps", "ended"]
    assert [line.split()[0] for line in lines[1 : 1 + len(found["rows"])]] == [each["who"] for each in found["rows"]]
    assert "membership-inference: too few texts to judge: 4 of at least 50" in lines
    assert "never" in lines[0]


def test_the_command_writes_what_it_found(folder, compared, tmp_path, monkeypatch, capsys):
    found, _ = compared
    monkeypatch.setattr(tofu, "compare", lambda plan, _tell: found | {"most": len(plan.corpus())})
    assert cli.main(["tofu", str(folder), "--out", str(tmp_path / "found.json")]) == 0
    assert recorded(tmp_path / "found.json")["most"] == 16 + 16 + 4
    assert capsys.readouterr().out == report(found) + "\n"
    assert cli.main(["tofu", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
    with pytest.raises(BadModel, match="unlearnviz tofu FOLDER"):
        recorded(tmp_path / "other.json")


def test_the_committed_run_judged_every_method_of_the_package_and_some_forgot():
    found = recorded()
    ours = {cls.name for cls in methods.classes() if cls.__module__.startswith("unlearnviz.")}
    by_name = {each["who"]: each for each in found["rows"]}
    assert set(by_name) == {"start", "twin"} | ours
    assert found["texts"] == {"forget": 40, "neighbours": 20, "retain": 20, "never seen": 20, "taught": 500}
    known = by_name["start"]["measures"]
    assert all(set(each["measures"]) == set(known) for each in found["rows"])
    forgot = {name for name in ours if by_name[name]["ended"] == "as never seen"}
    assert "nabla-tau" in forgot
    assert all(by_name[name]["measures"]["memorisation-accuracy"] < known["memorisation-accuracy"] for name in forgot)


def test_twenty_authors_and_a_hundred_others():
    if not REAL.exists():
        pytest.skip("TOFU is not at ../shared/data/tofu, seen from the project's root")
    corpus = Plan(REAL).corpus()
    assert (len(corpus.train), len(corpus.holdout)) == (500, 100)
    assert sum(len(corpus.about(author)) for author in Plan(REAL).asked) == 40
    assert all("perturbed_answer" in passage.extra for passage in corpus.about("author 1"))
    assert len({passage.text for passage in corpus}) == 600
    with pytest.raises(UnlearnvizError):
        Plan(REAL / "nothing").corpus()
