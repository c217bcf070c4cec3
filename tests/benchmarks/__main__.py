"""`python -m tests.benchmarks [SUITE ...] [--json FILE]`: measure, print a table, write JSON.

The exit status is 0 also where a target is missed: a benchmark reports. It is 1 where a suite broke off.
"""

import argparse
import json
import os
import sys
import time
import traceback
from pathlib import Path

from tests.benchmarks.registry import SUITES, Plan, Unable


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="run bench", description=__doc__.split("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"any of {', '.join(SUITES)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.suites if name not in SUITES]
    if unknown:
        print(f"There is no suite {unknown[0]!r}; there are {', '.join(SUITES)}.", file=sys.stderr)
        return 2
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
            for row in SUITES[name].run(Plan()):
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
    missed = [row for row in rows if row.holds is False]
    print(f"{sum(row.holds is True for row in rows)} targets hold, {len(missed)} are missed.")
    for row in missed:
        print(f"  missed: {row.suite}: {row.name}: {row.shown} (target {row.target})")
    for name in broken:
        print(f"  broke off: {name}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
