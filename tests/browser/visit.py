"""Visit: one page in the browser, and everything that it asked for, said and sent meanwhile."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import TimeoutError as TooLate

from tests.browser.servers import TOKEN

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
LOOKS = (Path(__file__).parent / "looks.js").read_text("utf-8")
OURS = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:|chrome-extension:")
FONT_AWESOME = "https://cdn.jsdelivr.net/"  # Voila's own page template asks for it
SENT = "!/\\[ ?\\]/.test(document.querySelector('.jp-CodeCell .jp-InputPrompt').textContent)"  # [*] or [1], not [ ]
SLIDE = """async (root, values) => {
  const [slider, said] = [root.querySelector("input[type=range]"), root.querySelector("output")];
  const [chart, list] = [root.querySelector(".uv-chart"), root.querySelector("[role=list]")];
  const state = () => [chart.dataset.drawn, said.textContent, list.firstChild?.getAttribute("aria-setsize")];
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const took = [];
  for (const value of values) {
    await new Promise((resolve) => requestIdleCallback(resolve)); // nothing is left of the move before
    const [began, before] = [performance.now(), state()];
    slider.value = value;
    slider.dispatchEvent(new Event("input"));
    while (state().some((each, k) => each === before[k]) || list.textContent.includes("…")) await frame();
    took.push(Math.round(performance.now() - began));
  }
  return took;
}"""
WAIT = 60_000  # milliseconds that a condition may take to become true: two busy cores are slow, not wrong


@dataclass
class Visit:
    """A page with its record. `page` is playwright's; conditions are waited for, never slept for.

    Attributes:
        external: addresses outside this computer that the page asked for.
        errors: console errors and uncaught exceptions, as text.
        received, sent: bytes over all websockets of the page.
    """

    page: object
    external: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    received: int = 0
    sent: int = 0

    def __post_init__(self):
        self.page.set_default_timeout(WAIT)
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        self.page.on("websocket", self._websocket)

    def _request(self, request):
        if not OURS.match(request.url):
            self.external.append(request.url)

    def _console(self, message):
        if message.type == "error" and FONT_AWESOME not in message.location.get("url", ""):
            self.errors.append(message.text)

    def _websocket(self, socket):
        socket.on("framereceived", lambda frame: self._count("received", frame))
        socket.on("framesent", lambda frame: self._count("sent", frame))

    def _count(self, way, frame):
        size = len(frame) if isinstance(frame, bytes) else len(frame.encode())
        setattr(self, way, getattr(self, way) + size)

    @property
    def external_beyond_voilas(self):
        """What was asked for outside, without the fonts that Voila's own template wants."""
        return [address for address in self.external if not address.startswith(FONT_AWESOME)]

    # ------------------------------------------------------------------ JupyterLab

    def open_lab(self, address, name):
        """Open a notebook of the server's folder, alone in the page, its kernel ready."""
        self.page.goto(f"{address}/doc/tree/{name}?token={TOKEN}")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.kernel_is_idle()

    def kernel_is_idle(self):
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")

    def run_all(self):
        """Run all cells; returns when the first one was sent, not when they are done: wait for what they show.

        Seen in 2 of 14 openings: the command has no effect, although the kernel said that it was idle. Why is not
        known, so it is given again. A cell that was sent shows so at once ([*]), so none is run twice. Seen in 2 of some 60: on a
        busy computer JupyterLab asks for the kernel that the notebook names, after it has started it.
        """
        dialog = self.page.locator(".jp-Dialog").first
        self.page.add_locator_handler(dialog, self._answer)
        try:
            for _ in range(5):
                self.page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()  # Run All wants the focus
                self.page.get_by_role("menuitem", name="Run", exact=True).click()
                self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
                try:
                    return self.page.wait_for_function(SENT, timeout=3_000)
                except TooLate:
                    continue
        finally:
            self.page.remove_locator_handler(dialog)
        raise AssertionError("JupyterLab did not run the notebook, asked five times")

    def _answer(self, dialog):
        """The kernel that is proposed; no to anything else."""
        asked = dialog.text_content()
        print(f"JupyterLab asked: {asked}")
        dialog.locator("button.jp-mod-accept" if asked.startswith("Select Kernel") else "button.jp-mod-reject").first.click()

    def save(self):
        """Save the notebook and wait until it is on disk."""
        with self.page.expect_response(lambda answer: "/api/contents/" in answer.url and answer.request.method == "PUT"):
            self.page.keyboard.press("Control+s")

    def button(self, text):
        """An ipywidgets button by its text (a button with an icon has the glyph in its accessible name)."""
        return self.page.locator("button.jupyter-button", has_text=text)

    # ------------------------------------------------------------------ conditions

    def until(self, expression, argument=None):
        """Wait until a JavaScript expression (or function of `argument`) is true in the page; returns its value."""
        return self.page.wait_for_function(expression, arg=argument).json_value()

    def charts_drawn(self, count, revision=None):
        """Wait until `count` charts show a drawing; of this revision, where one is given."""
        attribute = "[data-drawn]" if revision is None else f"[data-drawn='{revision}']"
        self.until(
            "([selector, count]) => document.querySelectorAll(selector).length >= count",
            [f".uv-chart{attribute} .main-svg:first-child", count],
        )

    def slide(self, panel, values):
        """Milliseconds from moving the threshold of a Neighbours panel to each value, until list, count and histogram show it."""
        return panel.evaluate(SLIDE, values)

    # ------------------------------------------------------------------ accessibility

    def axe(self, selector):
        """Judge one part of the page: (number of checks passed, serious and critical violations as text)."""
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(path=str(AXE))
        result = self.page.evaluate("selector => axe.run(selector)", selector)
        grave = [each for each in result["violations"] if each["impact"] in {"serious", "critical"}]
        lines = [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}" for each in grave]
        return len(result["passes"]), lines

    def looks(self, selector):
        """What a person would see go wrong in one part of the page: text that is cut, overlaps, or is fainter than 4.5:1; and `small` text.

        Waits for what is still drawn and for fonts, so that nothing is judged half-made.
        """
        self.until("document.fonts.status === 'loaded'")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self.page.evaluate(LOOKS, selector)
