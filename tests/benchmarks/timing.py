"""Times of variants that take turns, and memory of this process while something runs."""

import gc
import statistics
import threading
import time


def take_turns(variants, rounds, *, warm_up=1):
    """Seconds of every variant in every round: name -> list. The order rotates, and the collector of garbage waits.

    A variant is a function, or a pair (function, what to do after it untimed).
    """
    pairs = {name: each if isinstance(each, tuple) else (each, _nothing) for name, each in variants.items()}
    seconds = {name: [] for name in pairs}
    order = list(pairs)
    for turn in range(warm_up + rounds):
        for name in order:
            work, after = pairs[name]
            gc.collect()
            gc.disable()
            began = time.perf_counter()
            work()
            taken = time.perf_counter() - began
            gc.enable()
            after()
            if turn >= warm_up:
                seconds[name].append(taken)
        order = [*order[1:], order[0]]
    return seconds


def _nothing():
    pass


def ratio(seconds, variant, base):
    """Median over rounds of variant / base of the same round."""
    return statistics.median(one / other for one, other in zip(seconds[variant], seconds[base], strict=True))


def milliseconds(values):
    return 1000 * statistics.median(values)


class Peak:
    """The largest resident size of this process inside a `with` block: `before`, `after` and `highest`, in bytes."""

    def __enter__(self):
        import psutil

        gc.collect()
        self._process = psutil.Process()
        self.before = self.highest = self._process.memory_info().rss
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self):
        while not self._over.wait(0.002):
            self.highest = max(self.highest, self._process.memory_info().rss)

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()
        self.after = self._process.memory_info().rss
        self.highest = max(self.highest, self.after)
