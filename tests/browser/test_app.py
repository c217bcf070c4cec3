"""The app as a new user meets it: an address, a sentence while it opens, one click to the first Step; nothing asked of the internet."""

import pytest
from playwright.sync_api import expect

from tests.browser import servers
from tests.browser.first_step import first_step
from tests.browser.visit import WAIT

pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)


def test_from_the_address_to_the_first_step_is_one_click(visit, tmp_path, record_property):
    there = visit(width=1280, height=720)
    there.page.set_default_timeout(3 * WAIT)  # torch may be cold, and the computer busy
    with servers.app(tmp_path) as address:
        took = first_step(there, address)
        record_property("seconds", str(took))  # what goes from one of three testers to the other has to be plain
        print(f"address to first sentence {took.sentence:.1f} s, to Step {took.ready:.1f} s, stepped {took.stepped:.1f} s")
        assert took.said[0] == "1 of 4: starting Python."
        assert took.said[-1] == "4 of 4: measuring what it knows, and drawing."
        assert took.clicks == 1
        page = there.page
        expect(page.locator("#uv-opening")).to_have_count(0)
        expect(page.locator(".uv-dashboard [role=status]").first).to_contain_text("\N{RIGHTWARDS ARROW}")
        expect(page).to_have_title("unlearnviz")
        step = page.get_by_role("button", name="Step", exact=True).bounding_box()
        assert step["y"] + step["height"] <= 720
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=str(tmp_path / "app.png"))
        assert there.external == []  # not even Voila's own fonts
        assert there.errors == []
