"""The browser and the servers of the browser tests. The classes are in servers.py and visit.py.

    lab(cells, name=...)   write a notebook, open it in JupyterLab, run it; gives a Visit
    voila(cells, name=...) write a notebook and open it in Voila; gives a Visit
    visit()                an empty page: a Visit

Scope "package": playwright keeps an event loop running in this thread, which would disturb tests outside.
"""

from contextlib import ExitStack

import nbformat
import pytest

from tests.browser import servers
from tests.browser.visit import Visit
from tests.chromium import find_chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
MISSING = "no Chromium or Chrome was found: install one, or name it in UNLEARNVIZ_CHROMIUM"


def write_notebook(path, cells):
    """A notebook of code cells that names its kernel: without one, JupyterLab would ask in a dialog."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)


@pytest.fixture(scope="package")
def chromium():
    """The browser, started once; tests are skipped with a sentence where this computer has none."""
    path = find_chromium()
    if path is None:
        pytest.skip(MISSING)
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens an empty page, 1280 pixels wide, as a Visit."""
    with ExitStack() as stack:

        def open_page(width=1280, height=1000, **options):
            context = chromium.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            return Visit(context.new_page())

        yield open_page


@pytest.fixture(scope="package")
def lab_home(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="package")
def lab_server(chromium, lab_home):
    """The address of a JupyterLab over the folder `lab_home / "notebooks"`, started once."""
    with servers.jupyterlab(lab_home) as address:
        yield address


@pytest.fixture
def lab(lab_server, lab_home, visit):
    """A function (cells, name) that opens these cells in JupyterLab and runs them all."""

    def open_notebook(cells, name="page.ipynb", *, run=True, **options):
        write_notebook(lab_home / "notebooks" / name, cells)
        there = visit(**options)
        there.open_lab(lab_server, name)
        if run:
            there.run_all()
        return there

    return open_notebook


@pytest.fixture
def voila(tmp_path, visit):
    """A function (cells, name) that shows these cells in Voila, which runs them when the page is opened."""
    with ExitStack() as stack:

        def open_notebook(cells, name="page.ipynb", **options):
            path = tmp_path / name
            write_notebook(path, cells)
            address = stack.enter_context(servers.voila(path, tmp_path / f"voila-{name}"))
            there = visit(**options)
            there.page.goto(address)
            return there

        yield open_notebook
