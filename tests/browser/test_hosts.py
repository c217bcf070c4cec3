"""One short visit in everything that shows notebooks: the oldest and the newest JupyterLab, Notebook 7, Voila."""

from contextlib import ExitStack
from importlib.metadata import version

import pytest
from playwright.sync_api import expect

from tests.browser import hosts, servers
from tests.browser.conftest import write_notebook
from tests.browser.visit import WAIT, Visit

pytestmark = pytest.mark.browser
expect.set_options(timeout=WAIT)
CELLS = ["import unlearnviz as uv\nsession = uv.demo()", "uv.Dashboard(session)", "uv.doctor()"]
NAME = "page.ipynb"


class Host:
    """A page of one server that shows the notebook, and how its address is opened and shown again."""

    def __init__(self, there, address, name):
        self.there, self.page, self.address = there, there.page, address
        self.name = name  # as the page tells it to uv.doctor()
        self.own = set()  # errors of the place itself, before anything of ours was run: Notebook 7.6 has one

    def open(self):
        self.page.goto(self.address)
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.there.kernel_is_idle()
        self.own = set(self.there.errors)
        self.there.run_all()

    def reload(self):
        self.there.save()
        self.page.reload()


class VoilaHost(Host):
    """Voila runs the notebook itself, and again for every reload: each page has a kernel of its own."""

    def open(self):
        self.page.goto(self.address)

    reload = None


def served(request, name, home, stack):
    """The address at which this server shows the notebook, and its name with its version."""
    if name == "Voila":
        home.mkdir()
        write_notebook(home / NAME, CELLS)
        return stack.enter_context(servers.voila(home / NAME, home / "voila")), name
    if name == "JupyterLab, newest":
        address, home = request.getfixturevalue("lab_server"), request.getfixturevalue("lab_home")
        packages = (f"jupyterlab=={version('jupyterlab')}",)
    else:
        oldest = name == "JupyterLab, oldest"
        packages = hosts.oldest_jupyterlab() if oldest else hosts.notebook()
        module = "jupyterlab" if oldest else "notebook"
        address = stack.enter_context(servers.jupyterlab(home, hosts.folder_of(packages), module=module))
    write_notebook(home / "notebooks" / NAME, CELLS)
    told = "JupyterLab" if "Lab" in name else "Jupyter Notebook"
    folder = "doc/tree" if "Lab" in name else "notebooks"
    return f"{address}/{folder}/{NAME}?token={servers.TOKEN}", f"{told} {packages[0].partition('==')[2]}"


@pytest.fixture(params=["JupyterLab, oldest", "JupyterLab, newest", "Notebook 7", "Voila"])
def host(request, chromium, tmp_path):
    with ExitStack() as stack:
        context = chromium.new_context(viewport={"width": 1280, "height": 720})
        stack.callback(context.close)
        address, name = served(request, request.param, tmp_path / "home", stack)
        there = Visit(context.new_page())
        there.page.on("dialog", lambda dialog: dialog.accept())  # leaving the page is asked about
        yield (VoilaHost if request.param == "Voila" else Host)(there, address, name)


def test_a_first_visit(host):
    host.open()
    root = host.page.locator(".uv-dashboard")
    sentence = root.locator("[role=status][aria-live=polite]").first
    perplexity, answers = root.locator(".uv-perplexitypanel .uv-chart-summary"), root.locator(".uv-sayings .uv-tokens-text")
    expect(sentence).to_contain_text("Perplexity: forget", timeout=3 * WAIT)  # torch may be cold, and the computer busy
    host.there.charts_drawn(1)
    expect(answers.first).not_to_be_empty()

    def said():
        return perplexity.text_content(), answers.all_text_contents()

    def after(name):
        """What is said once a click on this button was followed."""
        before = root.get_attribute("data-finished")
        root.get_by_role("button", name=name, exact=True).click()
        expect(root).not_to_have_attribute("data-finished", before)
        return said()

    start = said()
    stepped = after("Step")
    assert stepped[0] != start[0]
    assert after("Undo") == start
    if host.reload:
        host.reload()
        expect(perplexity).to_have_text(start[0])
        host.there.charts_drawn(1)
        assert said() == start
    assert after("Redo") == stepped
    assert after("Run")[1] != start[1]  # after some steps it says something else
    report = host.page.locator(".uv-doctor")
    expect(report).to_contain_text(host.name)
    expect(report).to_contain_text(f"widgets are displayed; anywidget {version('anywidget')}")
    assert root.locator("[role=alert]").first.text_content() == ""
    assert set(host.there.errors) <= host.own
    assert host.there.external_beyond_voilas == []
