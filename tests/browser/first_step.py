"""From an address to the first step, as a new user goes there: seconds until the first sentence, until Step can be pressed, and after it."""

from __future__ import annotations

import time
from typing import NamedTuple

STEP = """() => {
  const step = [...document.querySelectorAll(".uv-dashboard button")].find((each) => each.textContent.trim() === "Step");
  return Boolean(step && !step.disabled && document.querySelector(".uv-chart .main-svg"));
}"""
AFTER = "before => Number(document.querySelector('.uv-dashboard').dataset.finished) > before"


class FirstStep(NamedTuple):
    """Seconds since the address was opened; the sentences that were shown meanwhile; clicks that it took."""

    sentence: float
    ready: float
    stepped: float
    said: list[str]
    clicks: int


def first_step(there, address: str) -> FirstStep:
    """Open the app in a Visit and press Step as soon as the first chart is drawn."""
    page, began = there.page, time.monotonic()
    page.add_init_script("""
      window.uvSaid = [];
      new MutationObserver(() => {
        const said = document.querySelector("#uv-opening [role=status]")?.textContent;
        if (said && said !== window.uvSaid.at(-1)) window.uvSaid.push(said);
      }).observe(document, { childList: true, subtree: true });
    """)
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.uvSaid.length")
    sentence = time.monotonic() - began
    page.wait_for_function(STEP)
    ready = time.monotonic() - began
    before = page.evaluate("Number(document.querySelector('.uv-dashboard').dataset.finished)")
    page.get_by_role("button", name="Step", exact=True).click()
    page.wait_for_function(AFTER, arg=before)
    return FirstStep(sentence, ready, time.monotonic() - began, page.evaluate("window.uvSaid"), 1)
