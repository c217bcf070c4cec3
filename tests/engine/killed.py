"""A session that is killed at random moments, many times: `python -m tests.engine.killed TIMES FOLDER` prints what was found, as JSON.

This process makes no gradient of its own, so that it can fork a child for every moment without paying for torch again.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

from tests.engine import worlds
from unlearnviz.engine.autosave import latest
from unlearnviz.engine.progress import drain

OPERATIONS = 20


def operations(session):
    """(kind, operation), one after the other: branches, undo, typed texts, several methods and places; that of a step is its iterator."""
    for k in range(OPERATIONS):
        if k % 7 == 3:
            yield "undo", session.undo
        elif k % 9 == 5:
            yield "branch", lambda k=k: session.branch(f"branch {k}")
        elif k % 8 == 6:
            yield "pick", lambda k=k: session.pick("Tom Lindqvist" if k % 2 else f"The text that was typed as number {k} of them all.")
        else:
            where, method = ("embedding", "block 0", "all")[k % 3], ("gradient-ascent", "npo", "fine-tune")[k % 3]
            yield "step", lambda method=method, where=where: session.stepping(method, where)


def fork(work):
    """Run `work(write)` in a child; returns its id and where to read what it wrote."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, os.fdopen(read)
    os.close(read)
    try:
        work(lambda line: os.write(write, f"{line}\n".encode()))
    except BaseException:  # noqa: BLE001 - a forked child must never go on in its parent's code
        traceback.print_exc()
    os._exit(0)


def told(work):
    """What a child wrote that lived to its end."""
    child, lines = fork(work)
    with lines:
        found = lines.read().split()
    os.waitpid(child, 0)
    return found


def killed(session, folder, begins, seconds):
    """What a child had begun when it was killed, so long after it told that it begins an operation, and what can be continued then."""
    os.environ["UNLEARNVIZ_CACHE"] = str(folder)

    def live(tell):
        session.autosave()
        for number, (kind, operate) in enumerate(operations(session)):
            if kind == "step":
                work = operate()
                next(work)  # so far it has begun: what was done before is in its file, and is not lost any more
                tell(f"{number}-{kind}")
                drain(work)
            else:
                tell(f"{number}-{kind}")
                operate()
        session.settle()
        tell(f"{OPERATIONS}-end")

    child, lines = fork(live)
    with lines:
        begun = [lines.readline().strip() for _ in range(begins + 1)]
        time.sleep(seconds)  # not for something to happen, but for it to be cut off in the middle
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        begun += lines.read().split()
    found = latest(session, None)
    offered = None if found is None else found.recipe.hash

    def resume(tell):
        replayed = session.resume()
        tell(f"{replayed.identical}")
        tell(session.fingerprint())

    came_back = told(resume) if found is not None and begins % 10 == 9 else None
    return {"begun": begun, "offered": offered, "resumed": came_back}


def main(times, folder):
    torch.set_num_threads(1)
    random.seed(6)
    session = worlds.session(blocks=1, width=16)

    def reference(tell):
        tell(f"{session.recipe_hash()}-{session.fingerprint()}")
        for _, operate in operations(session):
            work = operate()
            if inspect.isgenerator(work):
                drain(work)
            tell(f"{session.recipe_hash()}-{session.fingerprint()}")

    began = time.perf_counter()
    states = [line.split("-") for line in told(reference)]
    operation = (time.perf_counter() - began) / OPERATIONS  # seconds, on this computer as it is today
    kills = []
    for number in range(times):
        kills.append(killed(session, folder / str(number), number % OPERATIONS, random.uniform(0, 2 * operation)))
        shutil.rmtree(folder / str(number), ignore_errors=True)
    print(json.dumps({"states": states, "kills": kills}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
