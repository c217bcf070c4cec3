"""JupyterLab and Voila servers for tests: free port, configuration of their own, no news, nothing left behind."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-tests"
START = 90  # seconds that a server may take to answer
NOTIFICATIONS = '{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}'


def free_port():
    with closing(socket.socket()) as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def environment(home, packages=None):
    """The environment of a server that reads no settings of the person at this computer and finds our package.

    `packages`: a folder of packages that win over the installed ones (see hosts.py).
    """
    settings = home / "settings"
    notifications = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    notifications.parent.mkdir(parents=True, exist_ok=True)
    notifications.write_text(NOTIFICATIONS)
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    other = {}
    if packages is not None:
        data = packages / "share" / "jupyter"
        other["JUPYTER_PATH"] = str(data)
        if (data / "lab" / "static").is_dir():  # a JupyterLab brings the page that belongs to it
            other["JUPYTERLAB_DIR"] = str(data / "lab")
    paths = [str(packages or ""), str(ROOT), os.environ.get("PYTHONPATH", "")]
    search = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return {
        "OMP_WAIT_POLICY": "passive",  # as `./run lab` sets it
        "UNLEARNVIZ_CACHE": str(home / "cache"),  # no recipe of an earlier test is there to be continued
        **os.environ,
        **{name: str(home / folder) for name, folder in own.items()},
        **other,
        "PYTHONPATH": os.pathsep.join(each for each in paths if each),
        "PATH": os.pathsep.join(search),
    }


@contextmanager
def served(command, url, home, packages=None):
    """Run `command` until the block ends, entering it once `url` answers; a server that dies is an error with its log."""
    log = home / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment(home, packages), stdout=out, stderr=out, start_new_session=True)
    try:
        wait_for(url, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url, process, log):
    """Return once `url` answers; a process that ends before, or takes too long, is an error with its log."""
    deadline = time.monotonic() + START
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)  # between two questions to a server that has no other way to say that it is ready


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True  # it answers, if only to refuse
    except OSError:
        return False


@contextmanager
def jupyterlab(home, packages=None, *, module="jupyterlab"):
    """A JupyterLab (or what else `module` names) over the folder `home / "notebooks"`; yields its address without the closing slash."""
    (home / "notebooks").mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", module, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    options = ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url="]
    options += [f"--ServerApp.root_dir={home / 'notebooks'}"]
    with served([*command, *options], f"{address}/api/status?token={TOKEN}", home, packages):
        yield address


@contextmanager
def voila(notebook, home):
    """A Voila that shows `notebook`; yields its address."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with served(command, f"http://127.0.0.1:{port}/voila/static/", home):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def app(home):
    """`unlearnviz app`; yields its address."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "unlearnviz.cli", "app", "--no-browser", f"--port={port}"]
    with served(command, f"http://127.0.0.1:{port}/voila/static/", home):
        yield f"http://127.0.0.1:{port}/"
