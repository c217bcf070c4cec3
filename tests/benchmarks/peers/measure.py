"""Rows of every attempt. Each runs in a fresh process with a time limit and takes turns there with our own pass."""

import json
import subprocess
import sys
import tempfile

import numpy as np

from tests.benchmarks.peers import captum, dattri, environment, kronfluence
from tests.benchmarks.peers.case import Case
from tests.benchmarks.processes import ROOT
from tests.benchmarks.registry import Row
from tests.benchmarks.suites.gradients import scanned
from tests.benchmarks.timing import ratio, take_turns

ATTEMPTS = (*captum.ATTEMPTS, *kronfluence.ATTEMPTS, *dattri.ATTEMPTS)
LIMIT = 150  # seconds for one attempt, its start and its warm-up included
CODE = """
from tests.benchmarks.peers.measure import ATTEMPTS, report
report(session, ATTEMPTS[{number}], {effort})
"""


def measure(plan, attempts=ATTEMPTS, limit=LIMIT):
    """Rows of all attempts, on the session that `plan.cell` opens."""
    variables = environment.environment(plan.peers)
    for number, attempt in enumerate(attempts):
        code = plan.cell + CODE.format(number=number, effort=plan.effort)
        yield from rows(attempt, in_a_process(code, variables, limit))


def in_a_process(code, variables, limit):
    """What the process reported, one JSON object per line put together; "failed" says how it ended if not well."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired as stopped:
        said = stopped.stdout or ""
        return _reported(said if isinstance(said, str) else said.decode()) | {"failed": f"stopped after {limit:g} s"}
    found = _reported(done.stdout)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
        return found | {"failed": _short(last)}
    return found


def _reported(printed):
    found = {}
    for line in printed.splitlines():
        if line.startswith('{"report":'):
            found |= json.loads(line)["report"]
    return found


def report(session, attempt, effort):
    """Inside the process: measure, and print what is known as soon as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        for found in outcome(session, attempt, effort, folder):
            print(json.dumps({"report": found}), flush=True)


def outcome(session, attempt, effort, folder):
    """Pieces of a report on one attempt; an error of the library is a part of it.

    Ours goes over all texts, theirs over as many as the attempt says: their time is scaled by the tokens gone over.
    """
    case, whole = Case.of(session, attempt.texts if effort else 2, folder), Case.of(session, None if effort else 4)
    scale = whole.tokens / case.tokens

    def ours():
        return scanned(whole.model, whole.texts, toward=whole.forget, tokens=True)

    began = take_turns({"ours": ours}, 1)
    yield {"texts": len(case.texts), "of": len(whole.texts), "forget": len(case.forget), "ours": began["ours"][0]}
    try:
        scoring = attempt.prepare(case)
        scores = scoring.score()  # also the warm-up
        own = scanned(case.model, case.texts, toward=case.forget, columns=scoring.columns)
        yield {"scored": _share(case.model, scoring.scored), "missing": scoring.missing, **_compared(scores, own)}
        seconds = take_turns({"peer": scoring.score, "ours": ours}, attempt.rounds if effort else 1, warm_up=0)
        yield {
            "ratio": scale * ratio(seconds, "peer", "ours"),
            "peer": scale * float(np.median(seconds["peer"])),
            "ours": float(np.median(seconds["ours"])),
        }
    except Exception as error:  # noqa: BLE001 - how a library fails is what is asked here
        yield {"failed": _short(f"{type(error).__name__}: {error}")}


def _share(model, names):
    return sum(model.parameters[name].numel() for name in names) / model.size


def _compared(scores, own):
    """The worst column: its correlation with ours, and the largest difference in units of the two norms that are multiplied."""
    correlations, differences = [], []
    for name, found in scores.items():
        ours = own.column(own.influence, name)
        reach = own.column(own.norms, name) * own.toward_norms[own.columns.index(name)]
        theirs = np.asarray(found, dtype=float)
        differences.append(float((abs(theirs - ours) / reach).max()))
        correlations.append(float(np.corrcoef(theirs, ours)[0, 1]))
    return {"columns": len(scores), "correlation": min(correlations), "difference": max(differences)}


def _short(words):
    line = " ".join(words.split())
    return line if len(line) <= 240 else line[:237] + "..."


def rows(attempt, found):
    """The rows of one attempt."""
    over = f"{found['of']} texts towards {found['forget']}; ours {found['ours']:.3g} s" if "ours" in found else "no text"
    if "failed" in found:
        yield Row("gradients", attempt.name, None, "x", f"{over}; {found['failed']}", at_least=attempt.at_least)
    else:
        scaled = f", scaled by tokens from {found['texts']} texts" if found["texts"] < found["of"] else ""
        base = f"{over}, theirs {found['peer']:.3g} s{scaled}"
        yield Row("gradients", attempt.name, found["ratio"], "x", base, at_least=attempt.at_least)
    if "scored" in found:
        missing = f"not scored: {found['missing']}" if found["missing"] else ""
        yield Row("gradients", f"{attempt.name}: parameters scored in full", 100 * found["scored"], "%", missing)
        against = f"the worst of {found['columns']} columns" if found["columns"] > 1 else ""
        yield Row("gradients", f"{attempt.name}: correlation with our scores", found["correlation"], "", against)
        said = f"{attempt.name}: largest difference from ours"
        yield Row("gradients", said, found["difference"], "of both norms", against)
