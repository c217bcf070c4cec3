"""The laws under random operations: the stateful test of the engine, counted."""

from tests.benchmarks.registry import Row


def measure(plan):
    from hypothesis import HealthCheck, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.engine import test_stateful as machine

    machine.Operations.done = 0
    broken, sentence = 0, ""
    chosen = settings(
        max_examples=machine.EXAMPLES if plan.effort else 1,
        stateful_step_count=machine.OPERATIONS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine.Operations, settings=chosen)
    except AssertionError as law:
        broken, sentence = 1, str(law).split("\n")[0]
    yield Row("laws", "random operations", machine.Operations.done, "", at_least=2000 if plan.effort else 1)
    yield Row("laws", "laws broken by them", broken, "", sentence, at_most=0)
