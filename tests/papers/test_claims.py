"""The claims of the papers: known to the experiments that measure them, exact in words, and joined with what was found."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.clean_environment import ROOT
from unlearnviz.engine.methods.ledger_method import LedgerMethod
from unlearnviz.engine.methods.method import registry
from unlearnviz.errors import BadModel
from unlearnviz.papers import Claim, Experiment, Interval, Trial, claims, claims_table
from unlearnviz.papers.claim import AGAINST, HOLDS, OPEN
from unlearnviz.papers.measured import FOLDER

KNOWN = claims()
EXPERIMENTS = {each.experiment for each in KNOWN}
MEASURED = {file.stem: json.loads(file.read_text())["claims"] for file in sorted(FOLDER.glob("*.json")) if '"claims"' in file.read_text()}
JUDGED_OTHERWISE = {"nabla-tau-thirty-percent", "embedding-halves-storage", "partial-amnesiac-storage"}  # by several quantities, or counted


def entry(said, **settings):
    """An entry of a file: each setting as (mean, low, high)."""
    intervals = {words: dict(zip(("mean", "low", "high"), each, strict=True)) for words, each in settings.items()}
    mean, low, high = next(iter(settings.values()))
    about = {"unit": "nats", "verdict": said, "because": "so", "settings": intervals}
    return {"claims": {"first-epoch-better": {"estimate": mean, "low": low, "high": high, **about}}}


def by_the_rule(intervals, claimed, line):
    """All on the claimed side: reproduced; some: it depends; none, and one on the other side: not here; none on either: undecided."""
    known = [(each["low"], each["high"]) for each in intervals if each["low"] is not None]
    below, above = sum(high < line for _, high in known), sum(low > line for low, _ in known)
    holds, against = (below, above) if claimed == "below" else (above, below)
    if holds:
        return "reproduced here" if holds == len(intervals) else "depends on"
    return "not here" if against else "undecided here"


def test_every_measured_claim_is_known_and_of_an_experiment_that_ran_every_claim_is_measured():
    for file, found in MEASURED.items():
        assert set(found) == {each.id for each in KNOWN if each.experiment.file == file}, file
    assert len({each.id for each in KNOWN}) == len(KNOWN)


@pytest.mark.parametrize("each", KNOWN, ids=lambda each: each.id)
def test_a_claim_is_a_sentence_and_what_was_found_follows_from_its_line(each):
    assert re.fullmatch(r"[A-Z].*[^.]\.", each.sentence)
    assert (each.kind in ("stated", "reconstruction"), each.claimed in ("below", "above", "at"), bool(each.flips)) == (True, True, True)
    assert not each.flips.endswith(".")
    if each.found is None:
        assert each.verdict == f"not measured here yet: run `{each.experiment.command}`"
        return
    assert each.found.verdict in ("reproduced here", "not here", "depends on", "undecided here")
    told = MEASURED[each.experiment.file][each.id]
    assert (each.found.main.mean, each.found.because) == (told["estimate"], told["because"])
    if each.claimed != "at" and each.id not in JUDGED_OTHERWISE:
        assert by_the_rule(told["settings"].values(), each.claimed, each.line) == each.found.verdict


@pytest.mark.parametrize("each", [each for each in KNOWN if isinstance(each.trial, Trial)], ids=lambda each: each.id)
def test_the_step_of_a_claim_is_one_that_a_method_takes(each):
    method = registry[each.trial.method](**each.trial.settings)
    assert isinstance(method, LedgerMethod) == (each.trial.needs in ("schedule", "gradients", "deltas"))
    assert (each.trial.method == "nabla-tau") == (each.trial.needs == "never seen")
    assert each.trial.look


def test_a_file_gives_every_claim_its_numbers_and_its_verdict(tmp_path):
    (tmp_path / "first_epoch.json").write_text(json.dumps(entry("depends on", AdamW=(-1.5, -2.74, -0.258), SGD=(0.03, -1.2, 1.3))))
    found = {each.id: each for each in claims(tmp_path)}
    better = found["first-epoch-better"]
    assert (better.verdict, better.found.unit, better.found.because) == ("depends on the setting", "nats", "so")
    assert {words: better.side(each) for words, each in better.found.settings.items()} == {"AdamW": HOLDS, "SGD": OPEN}
    assert str(better.found.main) == "\N{MINUS SIGN}1.5 (\N{MINUS SIGN}2.74 to \N{MINUS SIGN}0.258)"
    assert [each.id for each in found.values() if each.found is not None] == ["first-epoch-better"]


def test_a_file_that_changed_is_read_again_and_one_that_is_damaged_is_named(tmp_path):
    file = tmp_path / "first_epoch.json"
    for time, said in enumerate(("not here", "reproduced here")):
        file.write_text(json.dumps(entry(said, AdamW=(1.0, 0.5, 1.5))))
        os.utime(file, ns=(time, time))
        (better,) = (each for each in claims(tmp_path) if each.found)
        assert better.verdict == said
    file.write_text("{")
    with pytest.raises(BadModel) as caught:
        claims(tmp_path)
    assert str(caught.value) == f"The results in {str(file)!r} cannot be read; run the command again that made them."


@pytest.mark.parametrize(
    "claimed, low, high, side",
    [
        ("below", 0.2, 0.9, HOLDS),
        ("below", 1.1, 2.0, AGAINST),
        ("below", 0.9, 1.1, OPEN),
        ("below", 0.9, 1.0, OPEN),
        ("above", 1.1, 2.0, HOLDS),
        ("above", 0.2, 0.9, AGAINST),
        ("at", 1.1, 2.0, OPEN),
        ("below", None, None, OPEN),
    ],
)
def test_an_interval_lies_on_one_side_of_the_line_or_over_it(claimed, low, high, side):
    asked = Claim("x", "P", "S.", "stated", Experiment("x", "x", "x"), "it", "no step", claimed=claimed, line=1.0)
    assert asked.side(Interval(0.5, low, high)) == side


def test_the_table_has_a_line_for_every_claim(tmp_path):
    head, rule, *lines = claims_table(tmp_path)
    assert (head.count("|"), rule.count("|")) == (5, 5)
    assert lines == [f"| {c.paper} | {c.sentence} | {c.origin} | not measured here yet: run `{c.experiment.command}` |" for c in KNOWN]


def test_the_readme_shows_what_was_found():
    _, heading, section = (ROOT / "README.md").read_text().partition("## What we found of their claims\n")
    if heading:
        assert "\n".join(claims_table()) in section.partition("\n## ")[0]
        assert all((ROOT / "notebooks" / each.lesson).exists() for each in EXPERIMENTS)
        commands = (ROOT / "unlearnviz" / "cli.py").read_text()
        assert all(f'"{each.command.removeprefix("unlearnviz ")}"' in commands for each in EXPERIMENTS)
