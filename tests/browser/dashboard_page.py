"""What browser tests of the dashboard share: cells that open one, and `Page`, which does to it what a person would do.

A label of the test beside the dashboard tells what the kernel holds, so that conditions are waited for and never slept for.
"""

import json

from playwright.sync_api import expect

from tests.browser.visit import WAIT

expect.set_options(timeout=WAIT)

HOSTILE = "<img src=x onerror=alert(1)>"
START_CHARTS = 1  # what the view that a page opens on draws
VIEWS = {  # panel -> the view that it stands in
    "Steering": "Start", "Perplexity": "Start", "What it says now": "Start",
    "Forget set": "Neighbours", "Neighbours": "Neighbours", "Map of the texts": "Neighbours",
    "Layers": "Where", "Preview": "Where", "Drift": "Where", "A closer look": "Where", "What did this step push?": "Where",
    "Influence": "Who",
    "Verdict": "Judge", "What leaks": "Judge", "Paths": "Judge", "Membership": "Judge", "Distance": "Judge", "Ledger": "Judge", "Claims": "Judge",
}
ALONE = """
import os, tempfile
os.environ["UNLEARNVIZ_CACHE"] = tempfile.mkdtemp()  # what another test did is not offered to be continued
"""
OPEN = f"""{ALONE}
import json, ipywidgets
import unlearnviz as uv
from unlearnviz.views import readouts
from unlearnviz.views.panels import map
readouts.SLOW = 600  # nothing is on request here, however slow the computer
map.LIMIT = 150  # few texts are drawn sooner
session = uv.demo()
"""
SHOW = """
def watched(dashboard):
    "What the kernel holds, as a label of the page: told whenever work has ended and whenever the place changes."
    said = ipywidgets.Label(layout={"width": "200px"}).add_class("said")

    def tell(change):
        state, head = dashboard.state, dashboard.state.session.head
        if change["name"] == "busy" and not state.busy:
            return  # told with "finished", when the dashboard has said all of it
        said.value = json.dumps({
            "ends": state.finished, "busy": state.busy, "where": state.where, "head": head, "view": dashboard.tabs.chosen,
            "steps": len(state.session.history), "forget": [p.id for p in state.session.forget],
            "weights": "" if state.busy else state.session.fingerprint()[:12],
            "groups": str({name: [p.id for p in members] for name, members in state.session.groups.items()}),
        })

    dashboard.state.observe(tell, ["busy", "finished", "where"])
    dashboard.tabs.observe(tell, "chosen")  # told last: what the view misses is being measured by then
    tell({"name": "where"})
    return said

dashboard = uv.Dashboard(session)
ipywidgets.VBox([dashboard, watched(dashboard)])
"""


LATENCY = """() => {
  const stop = [...document.querySelectorAll("button.jupyter-button")].find((each) => each.textContent.trim() === "Stop");
  stop.addEventListener("click", () => { window.uvStop = performance.now(); }, true);
  new MutationObserver(() => {
    if (window.uvStop && !window.uvStopped && stop.disabled) window.uvStopped = performance.now();
  }).observe(stop, { attributes: true, attributeFilter: ["disabled"] });
}"""


class Page:
    """The dashboard in a Visit."""

    def __init__(self, there):
        self.there, self.page = there, there.page
        self.root = there.page.locator(".uv-dashboard").first
        self.sentence = self.root.locator("[role=status][aria-live=polite]").first
        self.alert = self.root.locator("[role=alert]")

    def see(self, view):
        """Show a view, and wait until it has all that it shows."""
        tab = self.root.get_by_role("tab", name=view, exact=True)
        if tab.get_attribute("aria-selected") != "true":
            tab.click()
        self.arrived(view)

    def arrived(self, view):
        """Wait until the kernel shows a view, and has all that it shows."""
        self.there.until(
            """view => {
              const said = JSON.parse(document.querySelector(".said").textContent);
              return said.view === view && !said.busy;
            }""",
            view,
        )

    def panel(self, title):
        """A panel by the begin of its title, in the view that it stands in, which is shown; Steps and Timeline are always in sight."""
        if title in ("Steps", "Timeline"):
            return self.root.locator(f".uv-{title.lower()}")
        self.see(next(view for name, view in VIEWS.items() if title.startswith(name)))
        return self.root.locator(".uv-panel", has=self.page.locator(".uv-heading", has_text=title))

    def button(self, text):
        return self.root.get_by_role("button", name=text, exact=True)

    def kernel(self):
        return json.loads(self.page.locator(".said").first.text_content())

    def after(self, act, *given):
        """Do something; wait until work that it began has ended and nothing runs; what the kernel holds then."""
        before = self.kernel()["ends"]
        act(*given)
        return self.there.until(
            """n => {
              const said = JSON.parse(document.querySelector(".said").textContent);
              return said.ends > n && !said.busy && said;
            }""",
            before,
        )

    def says(self, pattern):
        """Wait until the sentence above matches; looked at in every frame, since during a run it soon says something else."""
        self.there.until(
            "pattern => new RegExp(pattern).test(document.querySelector('.uv-dashboard [role=status][aria-live=polite]').textContent)", pattern
        )

    def drawn(self):
        """How often each chart that can be seen was drawn."""
        return self.root.locator(".uv-chart:visible").evaluate_all("all => all.map((each) => Number(each.dataset.drawn))")

    def badges(self):
        return self.panel("Forget set").locator(".uv-picked .uv-badge").all_text_contents()

    def type(self, label, text):
        """Write into a field of Steering and leave it."""
        field = self.panel("Steering").get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")

    def shot(self, path, width=1280):
        """A picture of the whole dashboard."""
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": width, "height": 2600})
        self.root.screenshot(path=str(path))
        self.page.set_viewport_size(size)


def answer(dialog, dialogs):
    """Leaving the page is allowed; no other dialog is expected."""
    if dialog.type == "beforeunload":
        dialog.accept()
    else:
        dialogs.append(dialog.message)
        dialog.dismiss()


def fits(page):
    """What is cut off or makes the dashboard scroll sideways, as text."""
    return page.page.evaluate("""() => {
      const wide = (each) => each.scrollWidth > each.clientWidth + 1;
      const root = document.querySelector(".uv-dashboard");
      const found = [root, ...root.querySelectorAll(".uv-columns, .uv-panel, .widget-hbox, button")].filter(wide);
      return found.map((each) => `${each.tagName}.${each.className}: ${each.textContent.slice(0, 60)}`);
    }""")
