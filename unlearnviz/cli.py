"""The command line: `unlearnviz app`, `unlearnviz doctor`, `unlearnviz build-demo`, and the experiments whose results the lessons show."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from unlearnviz.errors import UnlearnvizError

if TYPE_CHECKING:
    from unlearnviz.engine.progress import Progress

EXPERIMENTS = {  # command -> module of unlearnviz.demo, and what it does; the module has compare(tell), report(found) and FILE
    "first-epoch": ("first_epoch", "climb along stored gradients, by epochs and parts of the model, with 5 seeds (a quarter of an hour on 2 cores)"),
    "partial-amnesiac": ("partial_amnesiac", "take back a share of every recorded update, with 5 seeds (a quarter of an hour on 2 cores)"),
    "nabla-tau": ("forgetting_shares", "forget 1, 10 and 30 %% of the shipped people by nabla-tau, beside 15 retrained models (an hour on 2 cores)"),
    "unrolling-sgd": ("unrolling_sgd", "verify single-gradient unlearning and its proxy on 60 short trainings (a quarter of an hour on 2 cores)"),
    "every-method": ("every_method", "forget one person of the ledger world by every method, with 5 seeds (a quarter of an hour on 2 cores)"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 a target was missed or something is to be mended, 2 an error that says what to do)."""
    parser = argparse.ArgumentParser(prog="unlearnviz", description="Watch a language model forget, step by step.")
    commands = parser.add_subparsers(dest="command", required=True)
    app = commands.add_parser("app", help="show the dashboard as a page in the browser, with nothing to run (Ctrl-C ends it)")
    app.add_argument("--port", type=int, default=None, help="where to listen (without it, a free port is found)")
    app.add_argument("--no-browser", action="store_true", help="only print the address")
    commands.add_parser("doctor", help="say what is installed and what this computer allows, and the one thing to mend first")
    build = commands.add_parser("build-demo", help="rebuild the shipped world from its seed (about 10 minutes on 2 cores)")
    build.add_argument(
        "--full", action="store_true", help="also train four twins with other seeds and eight other people's twins"
    )
    build.add_argument("--out", type=Path, default=None, help="folder to write to (the installed package's by default)")
    build.add_argument("--epochs", type=int, default=None, help="passes over the texts; only for trying the command out")
    check = commands.add_parser(
        "removals", help="check influence by retraining without random texts (62 trainings, an hour or two on 2 cores)"
    )
    check.add_argument("--out", type=Path, default=None, help="file to write to (the installed package's by default)")
    reworded = commands.add_parser(
        "paraphrases", help="check which similarity finds a text by its paraphrase (half an hour on 2 cores)"
    )
    reworded.add_argument("file", type=Path, help="JSON lines: question, answer, paraphrased_question, paraphrased_answer")
    reworded.add_argument("--out", type=Path, default=None, help="file to write to (the installed package's by default)")
    reworded.add_argument("--epochs", type=int, default=None, help="passes over the texts; only for trying the command out")
    both = commands.add_parser(
        "fuzzy-or-iterative", help="forget texts by what looks alike and by what the model still knows (half an hour on 2 cores)"
    )
    both.add_argument("--out", type=Path, default=None, help="file to write to (the installed package's by default)")
    authors = commands.add_parser(
        "tofu", help="learn 20 authors of TOFU, forget two by every method, and judge them by every measure (half an hour on 2 cores)"
    )
    authors.add_argument("folder", type=Path, help="holds forget10.jsonl and retain90.jsonl of TOFU")
    authors.add_argument("--out", type=Path, default=None, help="file to write to (the installed package's by default)")
    replayed = commands.add_parser("run", help="take all steps of a recipe again, print the measures, the answers to its prompts and the fingerprint")
    replayed.add_argument("recipe", type=Path, help="file that the page's Download or session.save_recipe(path) wrote")
    replayed.add_argument("--session", type=Path, default=None, help="folder that session.save(path) wrote, of the same model and texts")
    for name, (_, says) in EXPERIMENTS.items():
        command = commands.add_parser(name, help=says)
        command.add_argument("--out", type=Path, default=None, help="file to write to (the installed package's by default)")
    chosen = parser.parse_args(arguments)
    others = {"app": _serve, "doctor": _examine, "build-demo": _build, "removals": _check, "paraphrases": _rank, "tofu": _forget_authors}
    others["fuzzy-or-iterative"] = _compare
    others["run"] = _replay
    run = others.get(chosen.command, _experiment)
    try:
        report, held = run(chosen)
    except UnlearnvizError as error:
        print(f"unlearnviz: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0 if held else 1


def _serve(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.app.serving import serve

    serve(port=chosen.port, browser=not chosen.no_browser, tell=_tell)
    return "The app has ended.", True


def _examine(_chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.checkup import kernel_findings, report

    found = kernel_findings()
    return report(found), not any(each.fix for each in found)


def _replay(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.engine.session import Session
    from unlearnviz.reopening import measures, reopened

    said = ""

    def tell(progress: Progress) -> None:
        nonlocal said
        line = progress.text.partition(":")[0]  # of a step that takes long one line will do
        if line != said:
            said = line
            _tell(line)

    session, found = reopened(chosen.recipe, None if chosen.session is None else Session.load(chosen.session), tell)
    return "\n".join([found.sentence, *measures(session), session.fingerprint()]), True


def _build(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.demo.build import build_demo

    return build_demo(chosen.out, full=chosen.full, epochs=chosen.epochs, tell=_tell)


def _check(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.demo import removals, results

    found = removals.check_removals(removals.shipped_plan(), _tell)
    results.write(found, chosen.out or removals.FILE)
    return removals.report(found), True


def _rank(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.demo import paraphrases, results

    found = paraphrases.check_paraphrases(paraphrases.Pairs.read(chosen.file), _tell, epochs=chosen.epochs)
    results.write(found, chosen.out or paraphrases.FILE)
    return paraphrases.report(found), True


def _compare(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.demo import fuzzy_or_iterative, results, shipped

    found = fuzzy_or_iterative.compare(shipped.open_shipped(), _tell)
    results.write(found, chosen.out or fuzzy_or_iterative.FILE)
    return fuzzy_or_iterative.report(found), True


def _forget_authors(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.demo import results, tofu

    found = tofu.compare(tofu.Plan(chosen.folder), _tell)
    results.write(found, chosen.out or tofu.FILE)
    return tofu.report(found), True


def _experiment(chosen: argparse.Namespace) -> tuple[str, bool]:
    from unlearnviz.demo import results

    module = importlib.import_module(f"unlearnviz.demo.{EXPERIMENTS[chosen.command][0]}")
    found = module.compare(_tell)
    results.write(found, chosen.out or module.FILE)
    return module.report(found), True


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
