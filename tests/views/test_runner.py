"""Runner: one piece of work at a time, off the loop, with progress and Stop."""

import asyncio
import gc
import threading
import time

import pytest

from unlearnviz.engine.progress import Progress
from unlearnviz.errors import Busy, Cancelled
from unlearnviz.views import runner as module
from unlearnviz.views.runner import Outcome, Runner, seconds_left


def count(units, log=None, pause=0.0):
    """Work of `units` units that notes its thread and, in `finally`, its end."""
    log = [] if log is None else log
    try:
        for done in range(units):
            log.append(threading.get_ident())
            time.sleep(pause)
            yield Progress(done + 1, units, f"unit {done + 1}")
        return "value"
    finally:
        log.append("closed")


def broken():
    yield Progress(1, 2)
    raise ValueError("boom")


def test_without_a_loop_it_runs_inline_and_tells_the_value():
    seen, ends = [], []
    runner = Runner(seen.append, ends.append)
    assert runner.start(count(3)) is None
    assert seen[-1].done == 3
    assert seen[-1].seconds > 0
    (outcome,) = ends
    assert (outcome.state, outcome.value, outcome.error) == ("done", "value", None)
    assert runner.outcome is outcome
    assert not runner.running
    asyncio.run(runner.idle())


def test_work_has_one_thread_of_its_own_and_callbacks_have_the_loops():
    log, here = [], []

    async def main():
        runner = Runner(lambda _: here.append(threading.get_ident()), lambda _: here.append(threading.get_ident()))
        outcome = await runner.start(count(20, log))
        assert outcome.state == "done"

    asyncio.run(main())
    assert len(set(log[:-1])) == 1
    assert log[0] != threading.get_ident()
    assert set(here) == {threading.get_ident()}


def test_two_pieces_of_work_share_a_thread_which_ends_with_the_runner():
    log = []
    runner = Runner()
    runner.start(count(3, log))
    runner.start(count(3, log))
    assert len({each for each in log if each != "closed"}) == 1
    (thread,) = runner._thread._threads
    del runner
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_only_work_that_lasts_is_said_to_last(monkeypatch):
    monkeypatch.setattr(module, "LASTING", 0.05)
    said = []

    async def main():
        runner = Runner(on_lasting=lambda: said.append(runner.title))
        await runner.start(count(1), "short")
        await runner.start(count(30, pause=0.01), "long")
        await asyncio.sleep(0.1)

    asyncio.run(main())
    assert said == ["long"]


def test_stop_is_seen_at_the_next_yield_and_closes_the_work():
    log, ends = [], []

    async def main():
        runner = Runner(lambda progress: runner.stop() if progress.done == 1 else None, ends.append)
        outcome = await runner.start(count(1000, log, pause=0.001))
        assert log[-1] == "closed"
        return outcome

    outcome = asyncio.run(main())
    assert outcome.state == "stopped"
    assert len(log) < 100
    assert ends == [outcome]


def test_a_second_start_is_refused_with_a_sentence_and_changes_nothing():
    async def main():
        runner = Runner()
        task = runner.start(count(5, pause=0.01), "Step")
        other = []
        with pytest.raises(Busy, match=r"^Step is running\. Stop it, or wait for its end, and start again\.$"):
            runner.start(count(3, other))
        assert runner.running
        assert (await task).value == "value"
        assert other == []
        assert (await runner.start(count(3))).state == "done"

    asyncio.run(main())


def test_an_error_goes_to_on_end_and_once_to_idle():
    ends = []

    async def main():
        runner = Runner(on_end=ends.append)
        runner.start(broken())
        with pytest.raises(ValueError, match="boom"):
            await runner.idle()
        await runner.idle()

    asyncio.run(main())
    assert ends[0].state == "failed"
    assert isinstance(ends[0].error, ValueError)


def test_work_that_reports_its_own_cancelling_was_stopped():
    def cancelling():
        yield Progress(1)
        raise Cancelled("Stopped; nothing changed.")

    runner = Runner()
    runner.start(cancelling())
    assert runner.outcome.state == "stopped"
    assert runner.outcome.error is None


@pytest.mark.parametrize("where", ["on_progress", "on_end"])
def test_a_callback_that_fails_does_not_end_the_work_and_is_raised_by_idle(where):
    def fail(_):
        raise RuntimeError("the page is gone")

    async def main():
        runner = Runner(**{where: fail})
        outcome = await runner.start(count(3))
        assert outcome.state == "done"
        with pytest.raises(RuntimeError, match="the page is gone"):
            await runner.idle()

    asyncio.run(main())


def test_an_error_while_undoing_is_a_failure():
    def stubborn():
        try:
            while True:
                yield Progress(1)
        finally:
            raise OSError("cannot undo")

    runner = Runner(lambda _: runner.stop())
    runner.start(stubborn())
    assert runner.outcome.state == "failed"
    assert "cannot undo" in str(runner.outcome.error)


def test_progress_is_thinned_to_ten_a_second_and_ends_with_the_last():
    seen = []
    began = time.perf_counter()
    Runner(seen.append).start(count(300, pause=0.001))
    seconds = time.perf_counter() - began
    assert len(seen) <= seconds * 10 + 2
    assert seen[-1].done == 300
    assert [each.done for each in seen] == sorted(each.done for each in seen)


def test_the_last_report_comes_although_the_next_unit_is_long():
    gate, reached = threading.Event(), []

    def work():
        yield Progress(1, 3)
        yield Progress(2, 3)
        gate.wait(10)

    def note(progress):
        reached.append(progress.done)
        if progress.done == 2:
            gate.set()  # only the report itself lets the long unit end

    Runner(note).start(work())
    assert reached == [1, 2]


def test_on_end_may_start_the_next_work():
    ends = []

    async def main():
        def chain(outcome):
            ends.append(outcome.value)
            if len(ends) == 1:
                runner.start(count(2))

        runner = Runner(on_end=chain)
        runner.start(count(1))
        await runner.idle()

    asyncio.run(main())
    assert ends == ["value", "value"]


def test_a_cancelled_task_waits_for_its_unit_closes_the_work_and_frees_the_runner():
    log, ends = [], []

    async def main():
        runner = Runner(on_end=ends.append)
        task = runner.start(count(1000, log, pause=0.01))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not runner.running

    asyncio.run(main())
    assert [each.state for each in ends] == ["stopped"]
    assert log == [] or log[-1] == "closed"


def test_idle_can_be_awaited_from_another_threads_loop():
    runner, started = Runner(), threading.Event()

    async def main():
        task = runner.start(count(5, pause=0.02))
        started.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert started.wait(10)
    asyncio.run(runner.idle())
    assert runner.outcome.state == "done"
    thread.join(10)


def test_an_outcome_is_frozen():
    with pytest.raises(AttributeError):
        Outcome("done").state = "failed"


@pytest.mark.parametrize(
    "progress, left",
    [(Progress(1, 4, seconds=2.0), 6.0), (Progress(4, 4, seconds=2.0), 0.0), (Progress(0, 4, seconds=2.0), None),
     (Progress(3, None, seconds=2.0), None), (Progress(1, 4), None)],
)  # fmt: skip
def test_the_time_still_to_go_is_estimated_from_what_is_done(progress, left):
    assert seconds_left(progress) == left
