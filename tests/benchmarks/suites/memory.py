"""Memory: a real kernel with the dashboard open, after 50 embedding steps and after 50 AdamW steps of all parameters."""

import json

from tests.benchmarks.processes import kernel
from tests.benchmarks.registry import Row

OPEN = """
dashboard = uv.Dashboard(session)
display(dashboard)
await dashboard.idle()
"""

STEPS = """
import psutil
dashboard.state.where = {where!r}
for _ in range({steps}):
    dashboard.state.step(uv.GradientAscent(optimizer={optimizer!r}))
    await dashboard.idle()
store = session.snapshots.store
print([psutil.Process().memory_info().rss / 1e6, len(session.history), store.memory_budget / 2**20, store.memory_bytes / 2**20])
"""


def measure(plan):
    steps = plan.times(50)
    for where, optimizer, words in (("embedding", "SGD", "embedding steps"), ("all", "AdamW", "all-parameter AdamW steps")):
        with kernel() as run:
            run(plan.cell)
            run(OPEN)
            resident, records, budget, held = json.loads(run(STEPS.format(where=where, optimizer=optimizer, steps=steps)))
        if records != steps + 1:
            raise RuntimeError(f"{records - 1} of {steps} steps were taken")
        base = f"history in memory: {held:.0f} of {budget:.0f} MiB"
        yield Row("memory", f"kernel with the dashboard open, after {steps} {words}", resident, "MB", base, at_most=700)
