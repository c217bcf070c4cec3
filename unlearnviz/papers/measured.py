"""What was measured of each claim: read from the JSON that the experiments wrote, and shown beside the sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from unlearnviz.errors import BadModel
from unlearnviz.papers.claim import Claim, Interval
from unlearnviz.papers.gogineni_nadimi import GOGINENI_NADIMI
from unlearnviz.papers.thudi import THUDI
from unlearnviz.papers.trippa import TRIPPA
from unlearnviz.papers.zagardo import ZAGARDO

FOLDER = Path(__file__).parents[1] / "demo" / "files"


@dataclass(frozen=True)
class Finding:
    """What an experiment found of a claim.

    Attributes:
        main: estimate and 95 % interval of the main setting.
        unit: of the quantity, and what it is.
        verdict: "reproduced here", "not here", "depends on" or "undecided here".
        because: a sentence with the numbers.
        settings: words -> estimate and interval under that setting; empty for what was counted.
    """

    main: Interval
    unit: str
    verdict: str
    because: str
    settings: Mapping[str, Interval]

    @property
    def shown(self) -> Mapping[str, Interval]:
        """The settings, or what was counted as the only one."""
        return self.settings or {"counted": self.main}


def claims(folder: Path = FOLDER) -> tuple[Claim, ...]:
    """Every claim, paper by paper, joined with what the experiments' files in a folder say of it."""
    stated = (*ZAGARDO, *GOGINENI_NADIMI, *TRIPPA, *THUDI)
    found = {file: _findings(folder / f"{file}.json") for file in {claim.experiment.file for claim in stated}}
    return tuple(replace(claim, found=found[claim.experiment.file].get(claim.id)) for claim in stated)


def claims_table(folder: Path = FOLDER) -> list[str]:
    """The lines of a Markdown table: paper, claim, whose sentence it is, and what was found."""
    lines = ["| paper | claim | whose sentence | found here |", "|---|---|---|---|"]
    return lines + [f"| {claim.paper} | {claim.sentence} | {claim.origin} | {claim.verdict} |" for claim in claims(folder)]


def _findings(file: Path) -> Mapping[str, Finding]:
    """The claims in a file; none where there is no file."""
    return _read(file, file.stat().st_mtime_ns) if file.exists() else {}


@cache
def _read(file: Path, _changed: int) -> Mapping[str, Finding]:
    try:
        return {name: _finding(entry) for name, entry in json.loads(file.read_text(encoding="utf-8")).get("claims", {}).items()}
    except (ValueError, KeyError) as error:
        raise BadModel(f"The results in {str(file)!r} cannot be read; run the command again that made them.") from error


def _finding(entry: Mapping[str, Any]) -> Finding:
    settings = {words: Interval(each["mean"], each["low"], each["high"]) for words, each in entry.get("settings", {}).items()}
    main = Interval(entry["estimate"], entry["low"], entry["high"])
    return Finding(main, entry["unit"], entry["verdict"], entry["because"], settings)
