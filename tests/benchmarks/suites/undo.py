"""Undo: exact to the bit, and its cost beside the step that it takes back."""

import statistics
import time

from tests.benchmarks.registry import Row

SELECTIONS = {"embedding": 2.0, "embedding.input": 2.0, "embedding.output": 2.0, "all": 8.0}
ROUNDS = 8  # of a whole model of 10 MB each: they stay within the memory budget, so that no file is written


def measure(plan):
    different = 0
    for where, target in SELECTIONS.items():
        session = plan.session()
        spent = _Stopwatch(session.snapshots, ("check", "secure", "add"))
        putting = _Stopwatch(session.snapshots.store, ("put",))
        shares, costs, steps = [], [], []
        for turn in range(1 + plan.times(ROUNDS)):
            before = session.fingerprint()
            spent.seconds = putting.seconds = 0.0
            began = time.perf_counter()
            session.step(where=where)
            stepped = time.perf_counter()
            snapshot = spent.seconds + putting.seconds
            after = session.fingerprint()
            undoing = time.perf_counter()
            session.undo()
            undone = time.perf_counter() - undoing
            different += session.fingerprint() != before
            session.redo()
            different += session.fingerprint() != after or after == before
            session.undo()
            if turn:
                steps.append(stepped - began - snapshot)
                costs.append(snapshot + undone)
                shares.append(100 * costs[-1] / steps[-1])
        base = f"{1000 * statistics.median(costs):.2f} ms of {1000 * statistics.median(steps):.1f} ms"
        yield Row("undo", f"snapshot + undo, {where}", statistics.median(shares), "% of the step", base, at_most=target)
    yield Row("undo", "fingerprints that differ after undo or redo", different, "", at_most=0)


class _Stopwatch:
    """Adds up the time that some methods of one object take."""

    def __init__(self, owner, names):
        self.seconds = 0.0
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, method):
        def timed(*arguments, **options):
            began = time.perf_counter()
            try:
                return method(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - began

        return timed
