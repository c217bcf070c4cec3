"""`python -m tests.benchmarks [SUITE ...] [--json FILE]`: measure, print a table, write JSON.

`gradients --peers` also measures other libraries, which are installed for it once. `gradients --peers --page` besides writes the
rows into `results/gradients.json` and from them the page that the README shows.

The exit status is 0 also where a target is missed: a benchmark reports. It is 1 where a suite broke off.
"""

import argparse
import json
import os
import sys
import time
import traceback
from pathlib import Path

from tests.benchmarks import page
from tests.benchmarks.registry import SUITES, Plan, Unable


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="run bench", description=__doc__.split("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"any of {', '.join(SUITES)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--peers", action="store_true", help="measure other libraries too, in the suite gradients (needs the network once)")
    parser.add_argument("--page", action="store_true", help="with `gradients --peers`: keep the rows and write tests/benchmarks/README.md")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.suites if name not in SUITES]
    if unknown:
        print(f"There is no suite {unknown[0]!r}; there are {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    if chosen.peers and "gradients" not in (chosen.suites or SUITES):
        print("--peers belongs to the suite gradients: name it too.", file=sys.stderr)
        return 2
    if chosen.page and not (chosen.peers and chosen.suites == ["gradients"]):
        print("--page shows what `gradients --peers` measures: run it with that and no other suite.", file=sys.stderr)
        return 2
    plan = Plan()
    if chosen.peers:
        from tests.benchmarks.peers import environment

        try:
            plan = Plan(peers=environment.prepare())
        except Unable as reason:
            print(reason, file=sys.stderr)
            return 2
    if chosen.page and chosen.json is None:
        chosen.json = page.ROWS
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 0.5:
        print(
            f"Other work is running here (load {load:.1f} on {os.cpu_count()} cores): ratios are fair, latencies are too long."
        )
    rows, broken = [], []
    for name in chosen.suites or SUITES:
        began = time.perf_counter()
        print(f"== {name}: {SUITES[name].what}", flush=True)
        try:
            for row in SUITES[name].run(plan):
                rows.append(row)
                print(row.line(), flush=True)
        except Unable as reason:
            print(f"   not measured: {reason}", flush=True)
        except Exception:  # noqa: BLE001 - the other suites are measured all the same, and this one is named at the end
            broken.append(name)
            traceback.print_exc()
        print(f"   {time.perf_counter() - began:.0f} s", flush=True)
        if chosen.json is not None:  # after every suite: what was measured is kept if a later one breaks off
            chosen.json.write_text(json.dumps([row.to_json() for row in rows], indent=1) + "\n", encoding="utf-8")
    if chosen.page and not broken:
        page.write(chosen.json)
        print(f"   written: {page.PAGE.name} beside the benchmarks, from {chosen.json}")
    missed = [row for row in rows if row.holds is False]
    print(f"{sum(row.holds is True for row in rows)} targets hold, {len(missed)} are missed.")
    for row in missed:
        print(f"  missed: {row.suite}: {row.name}: {row.shown} (target {row.target})")
    for name in broken:
        print(f"  broke off: {name}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
