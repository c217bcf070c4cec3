"""The dashboard in a real browser through JupyterLab: latencies, bytes, and the counts that must be 0.

Times are taken in the page itself: from the key or the click to the last drawing that it causes.
"""

import re
import statistics
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.registry import Row, Unable
from tests.chromium import find_chromium

PATIENCE = 180_000  # milliseconds: a benchmark on a busy computer is slow, not broken
CELLS = [
    "dashboard = uv.Dashboard(session)\ndashboard",
    "dashboard.state.step(uv.GradientAscent(updates=1000))",
    "print(1000 * statistics.median(session.step(uv.GradientAscent(updates=20)).seconds / 20 for _ in range(5)), 'ms')",
    """import random
words, draw = [passage.text.split() for passage in session.corpus], random.Random(0)
more = [" ".join(draw.choice(words)[:9] + draw.choice(words)[9:]) for _ in range(4000 - len(words))]
many = uv.Corpus([*session.corpus, *(uv.Passage(f"more-{k}", text) for k, text in enumerate(more))])
large = uv.Session(session.model, many)
large.pick("Mara Okafor")
uv.Dashboard(large)""",
]
WATCH = """() => {
  const finished = () => Number(document.querySelector(".uv-dashboard")?.dataset.finished ?? 0); // pieces of work
  const marks = window.uvMarks = { began: 0, before: 0, drawn: 0, drawings: 0, idle: 0 };
  marks.ready = () => finished() > marks.before;
  for (const kind of ["pointerdown", "keydown"]) {
    document.addEventListener(kind, () => {
      Object.assign(marks, { began: performance.now(), before: finished(), drawn: 0, drawings: 0, idle: 0 });
    }, true);
  }
  new MutationObserver((changes) => {
    for (const { target, attributeName } of changes) {
      if (attributeName === "data-drawn") {
        marks.drawn = performance.now();
        marks.drawings += 1;
      } else if (finished() > marks.before && !marks.idle) {
        marks.idle = performance.now();
      }
    }
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-drawn", "data-finished"] });
}"""
SETTLED = "uvMarks.drawn > uvMarks.began && performance.now() - uvMarks.drawn > 700 && uvMarks.ready()"
TOOK = "({ milliseconds: uvMarks.drawn - uvMarks.began, drawings: uvMarks.drawings })"


def measure(plan):
    with _page(plan) as there:
        opened = []
        for turn in range(plan.times(3)):
            _run_cell(there, 0)
            there.until(
                "document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[0].textContent.includes('[1]')"
                if not turn
                else "true"
            )
            opened.append(_open(there))
            if turn < plan.times(3) - 1:
                _again(there)
        charts = there.page.locator(".uv-chart:visible").count()
        yield Row(
            "page",
            f"all {charts} visible charts drawn after the cell starts",
            statistics.median(t for t, _ in opened),
            "s",
            _all(opened),
            at_most=4,
        )
        yield Row("page", "received over the websocket for it", max(size for _, size in opened), "MB", at_most=5.5)
        for view in ("Start", "Where"):
            yield from _steps(plan, there, view)
        yield from _stop(plan, there)
        yield from _map(plan, there)
        yield from _slide(plan, there)
        passes, violations = there.axe(".uv-dashboard")
        yield Row(
            "page", "external requests in JupyterLab", len(there.external), "", "; ".join(there.external[:2]), at_most=0
        )
        yield Row("page", "console errors", len(there.errors), "", "; ".join(there.errors)[:200], at_most=0)
        found = f"{passes} checks passed" + "".join(f"; {each[:120]}" for each in violations)
        yield Row("page", "serious or critical violations (axe)", len(violations), "", found, at_most=0)


@contextmanager
def _page(plan):
    """The notebook in JupyterLab, nothing run yet."""
    path = find_chromium()
    if path is None:
        raise Unable("no Chromium or Chrome was found; install one, or name it in UNLEARNVIZ_CHROMIUM")
    from playwright.sync_api import sync_playwright

    from tests.browser import servers
    from tests.browser.conftest import FLAGS, write_notebook
    from tests.browser.visit import Visit

    with tempfile.TemporaryDirectory() as folder, servers.jupyterlab(Path(folder)) as address, sync_playwright() as driver:
        write_notebook(Path(folder) / "notebooks" / "page.ipynb", [f"import statistics\n{plan.cell}", *CELLS])
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        there = Visit(browser.new_page(viewport={"width": 1280, "height": 1000}))
        there.page.set_default_timeout(PATIENCE)
        there.open_lab(address, "page.ipynb")
        there.page.evaluate(WATCH)
        yield there
        browser.close()


def _run_cell(there, number):
    """Run one cell with Shift+Enter; asked again where JupyterLab forgot it (see `Visit.run_all`)."""
    from playwright.sync_api import TimeoutError as TooLate

    cell = there.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.text_content()
    cell.locator(".cm-content").click()
    for _ in range(5):
        there.page.keyboard.press("Shift+Enter")
        try:
            return there.page.wait_for_function(
                "([number, before]) => document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[number].textContent !== before",
                arg=[number, before],
                timeout=3_000,
            )
        except TooLate:
            cell.locator(".cm-content").click()
    raise AssertionError(f"JupyterLab did not run cell {number + 1}, asked five times")


def _open(there):
    """Seconds until all charts are drawn, and megabytes received."""
    there.kernel_is_idle()
    received = there.received
    _run_cell(there, 1)
    there.until(SETTLED)
    return there.page.evaluate(TOOK)["milliseconds"] / 1000, (there.received - received) / 1e6


def _again(there):
    """The page and the kernel as new."""
    there.page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    there.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    there.page.get_by_role("menuitem", name=re.compile("Restart Kernel and Clear Outputs")).click()
    there.page.locator(".jp-Dialog .jp-mod-accept").click()
    there.page.locator(".jp-Dialog").wait_for(state="detached")
    there.page.reload()
    there.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    there.kernel_is_idle()
    there.page.evaluate(WATCH)


def _click(there, text):
    there.page.locator("button.jupyter-button", has_text=re.compile(f"^{text}$")).first.click()
    there.page.wait_for_function(SETTLED, polling=250)  # to look at every frame makes the page draw every frame, at its cost
    return there.page.evaluate(TOOK)


def _steps(plan, there, view):
    """From a click on Step to the last drawing, while a view is shown."""
    there.page.get_by_role("tab", name=view, exact=True).first.click()
    there.until("!document.querySelector('.uv-dashboard button.uv-step').disabled")
    _click(there, "Step")  # the first one in a view also measures what the view missed
    charts = there.page.locator(".uv-chart:visible").count()
    steps = [_click(there, "Step") for _ in range(plan.times(11))]
    times = [each["milliseconds"] for each in steps]
    base = f"{min(times):.0f} to {max(times):.0f} ms in {len(times)} clicks"
    said = f"click on Step to all {charts} visible charts of {view} redrawn"
    yield Row("page", said, statistics.median(times), "ms", base, at_most=300)
    drawings = statistics.median(each["drawings"] / charts for each in steps)
    yield Row("page", f"drawings of a chart of {view} per step", drawings, "")


def _stop(plan, there):
    """How long a step of 1000 updates runs on after a click on Stop, beyond one update."""
    latencies = []
    for _ in range(plan.times(5)):
        _run_cell(there, 2)
        there.until("!uvMarks.ready()")
        there.until("document.querySelector('.uv-dashboard').textContent.includes('update 2')")
        there.page.locator("button.jupyter-button:enabled", has_text=re.compile("^Stop$")).first.click()
        there.until("uvMarks.idle > 0")
        latencies.append(there.page.evaluate("uvMarks.idle - uvMarks.began"))
        there.until("uvMarks.ready()")
    _run_cell(there, 3)
    printed = there.page.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea-output").first
    printed.wait_for()
    update = float(printed.text_content().split()[0])
    base = f"{statistics.median(latencies):.0f} ms, one update {update:.0f} ms"
    yield Row(
        "page",
        "click on Stop to the end of the work, beyond one update",
        statistics.median(latencies) - update,
        "ms",
        base,
        at_most=150,
    )


def _map(plan, there):
    """Redrawing the influence of all taught texts x all parts of the model, once it is measured."""
    there.page.get_by_role("tab", name="Who", exact=True).first.click()
    panel = there.page.locator(".uv-influence").first
    panel.get_by_role("button", name="Measure now").click()
    there.until(SETTLED)
    everything, times, drawings, sizes = panel.get_by_text("draw all texts"), [], [], []
    chart = panel.locator(".uv-chart").first
    for _ in range(plan.times(5)):
        received = there.received
        everything.click()
        there.until("uvMarks.drawn > uvMarks.began && performance.now() - uvMarks.drawn > 700")
        times.append(there.page.evaluate(TOOK)["milliseconds"])
        drawings.append(float(chart.get_attribute("data-took")))
        sizes.append((there.received - received) / 1e3)
        everything.click()
        there.until("uvMarks.drawn > uvMarks.began && performance.now() - uvMarks.drawn > 700")
    shown = ", ".join(f"{each:.0f}" for each in times)
    drawn = ", ".join(f"{each:.0f}" for each in drawings)
    yield Row("page", "drawing the influence map of all texts in the page", statistics.median(drawings), "ms", drawn, at_most=100)
    yield Row("page", "click to the influence map of all texts drawn", statistics.median(times), "ms", shown, at_most=100)
    yield Row("page", "received for the influence map of all texts", max(sizes), "kB", at_most=100)


def _slide(plan, there):
    """Moving the threshold over as many texts as TOFU has."""
    _run_cell(there, 4)
    there.until("document.querySelectorAll('.uv-dashboard').length > 1")
    there.page.get_by_role("tab", name="Neighbours", exact=True).last.click()
    panel = there.page.locator(".uv-neighbours").nth(1)
    panel.locator("li").first.wait_for()
    there.until(SETTLED.replace(" && uvMarks.ready()", ""))
    times = [each for _ in range(plan.times(3)) for each in there.slide(panel, [70, 50, 65, 45, 60])]
    base = f"{min(times)} to {max(times)} ms in {len(times)} moves"
    yield Row("page", "slider move to list and histogram of 4,000 texts", statistics.median(times), "ms", base, at_most=100)


def _all(opened):
    return ", ".join(f"{seconds:.1f} s" for seconds, _ in opened)
