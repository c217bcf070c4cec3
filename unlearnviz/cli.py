"""The command line: `unlearnviz build-demo`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from unlearnviz.errors import UnlearnvizError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 a target was missed, 2 an error that says what to do)."""
    parser = argparse.ArgumentParser(prog="unlearnviz", description="Watch a language model forget, step by step.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build-demo", help="rebuild the shipped world from its seed (about 10 minutes on 2 cores)")
    build.add_argument("--full", action="store_true", help="also train four twins with other seeds and eight other people's twins")
    build.add_argument("--out", type=Path, default=None, help="folder to write to (the installed package's by default)")
    build.add_argument("--epochs", type=int, default=None, help="passes over the texts; only for trying the command out")
    chosen = parser.parse_args(arguments)
    try:
        from unlearnviz.demo.build import build_demo

        report, held = build_demo(chosen.out, full=chosen.full, epochs=chosen.epochs, tell=lambda line: print(line, flush=True))
    except UnlearnvizError as error:
        print(f"unlearnviz: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
