"""The smallest place: a kernel with the dashboard on one core and 1 GB, and the app from its address to the first Step.

The limits are set in the measured process itself, before torch is loaded: it is bound to one core, and the kernel of the system refuses
it more than 1 GB of memory of its own (RLIMIT_DATA: heap and private writable mappings; files that are only mapped do not count).
"""

import json
import os
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.processes import kernel
from tests.benchmarks.registry import Row, Unable
from tests.chromium import find_chromium

LIMITS = """
import os, resource
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
resource.setrlimit(resource.RLIMIT_DATA, (10**9, 10**9))
"""

OPEN = """
dashboard = uv.Dashboard(session)
display(dashboard)
await dashboard.idle()
"""

STEPS = """
import json, psutil, time, torch
times = []
for _ in range({steps}):
    began = time.perf_counter()
    dashboard.state.step(uv.GradientAscent())
    await dashboard.idle()
    times.append(time.perf_counter() - began)
print(json.dumps([times, psutil.Process().memory_info().rss / 1e6, torch.get_num_threads(), len(os.sched_getaffinity(0))]))
"""


def measure(plan):
    yield from _small(plan)
    yield from _app(plan)


def _small(plan):
    if not hasattr(os, "sched_setaffinity"):
        raise Unable("the limits of this suite are those of Linux")
    steps = plan.times(20)
    with kernel() as run:
        run(LIMITS)
        run(plan.cell)
        run(OPEN)
        times, resident, threads, cores = json.loads(run(STEPS.format(steps=steps)))
    base = f"{min(times):.2f} to {max(times):.2f} s; {cores} core, {threads} thread, 1 GB of its own memory"
    yield Row("room", f"Step with read-outs on one core and 1 GB, median of {steps}", statistics.median(times), "s", base, at_most=1)
    yield Row("room", f"kernel on one core and 1 GB, after {steps} steps", resident, "MB", "resident", at_most=700)


def _app(plan):
    path = find_chromium()
    if path is None:
        raise Unable("no Chromium or Chrome was found; install one, or name it in UNLEARNVIZ_CHROMIUM")
    from playwright.sync_api import sync_playwright

    from tests.browser import servers
    from tests.browser.conftest import FLAGS
    from tests.browser.first_step import first_step
    from tests.browser.visit import Visit

    taken = []
    with tempfile.TemporaryDirectory() as folder, servers.app(Path(folder)) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        for _ in range(plan.times(3)):
            there = Visit(browser.new_page(viewport={"width": 1280, "height": 720}))
            there.page.set_default_timeout(180_000)
            taken.append(first_step(there, address))
            there.page.close()
        browser.close()
    said = ", ".join(f"{each.stepped:.1f} s" for each in taken)
    whole = statistics.median(each.stepped for each in taken)
    yield Row("room", "the app's address to its first sentence", statistics.median(each.sentence for each in taken), "s", at_most=1.5)
    yield Row("room", "the app's address to the end of the first Step, one click", whole, "s", said, at_most=15)
