"""serve: the dashboard as a page in the browser, with nothing to run: Voila, our notebook, our page around it."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from unlearnviz.errors import BadSetting, MissingExtra

HERE = Path(__file__).parent
NOTEBOOK = HERE / "unlearnviz.ipynb"
HOST = "127.0.0.1"
PORT = 8866  # taken if it is free; otherwise any other one


def serve(*, port: int | None = None, browser: bool = True, tell: Callable[[str], None]) -> None:
    """Serve the app on this computer until Ctrl-C; every page that is opened gets a Python of its own.

    Args:
        port: where to listen, 1 to 65535; without one, a free port is found.
        browser: also open the page in the person's browser.
        tell: is given the sentence that names the address.

    Raises:
        MissingExtra: voila is not installed.
        BadSetting: the port is out of range, or taken.
    """
    if importlib.util.find_spec("voila") is None:
        raise MissingExtra("The app is shown by voila, which is not installed here: pip install 'unlearnviz[lab]', then run this again.")
    chosen = free_port() if port is None else checked(port)
    os.environ.update(environment(os.environ))
    tell(f"Open http://{HOST}:{chosen}/ in a browser. Each page has a Python of its own (about 600 MB). Ctrl-C ends it.")
    from voila.app import Voila

    with suppress(KeyboardInterrupt):  # the first one voila catches, a second one while it stops its kernels it does not
        Voila.launch_instance(options(chosen, browser=browser))


def options(port: int, *, browser: bool) -> list[str]:
    """The words of voila's command line."""
    words = [str(NOTEBOOK), f"--port={port}", "--Voila.port_retries=0", f"--Voila.ip={HOST}", "--Voila.log_level=ERROR"]
    words += ["--template=unlearnviz", "--show_tracebacks=True"]  # an error is shown in the page: nowhere else would it be seen
    return words if browser else [*words, "--no-browser"]


def environment(present: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """The variables that server and kernels get beside the present ones: where our page template lies, and threads that sleep."""
    paths = [str(HERE), present.get("JUPYTER_PATH", "")]
    return {
        "JUPYTER_PATH": os.pathsep.join(each for each in paths if each),
        "OMP_WAIT_POLICY": present.get("OMP_WAIT_POLICY", "passive"),  # browser, server and kernel share the cores
    }


def checked(port: int) -> int:
    """`port`, if a server can listen there."""
    if not 1 <= port <= 65535:
        raise BadSetting(f"port={port} is no port; allowed is 1 to 65535, or leave it out and a free one is found.")
    if not is_free(port):
        raise BadSetting(f"Port {port} is taken by another program, or not allowed; give another one, or leave it out and a free one is found.")
    return port


def free_port() -> int:
    """Our usual port, or any other one that is free."""
    if is_free(PORT):
        return PORT
    with socket.socket() as place:
        place.bind((HOST, 0))
        return int(place.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server can listen at `port` of this computer."""
    with socket.socket() as place:
        if os.name != "nt":  # elsewhere a port that was just left counts as taken for a minute; on Windows this would share a taken one
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, port))
        except OSError:
            return False
    return True
