"""The other libraries, in a folder of their own that nothing but their measurement has on its path."""

import os
import subprocess
import sys

from tests.benchmarks.processes import ROOT
from tests.benchmarks.registry import Unable

FOLDER = ROOT / ".venv" / "peers"
PEERS = {"captum": "0.9.0", "kronfluence": "1.0.1", "dattri": "0.3.0"}
# What they import that .venv lacks. Never their whole list of dependencies: kronfluence asks for torchvision, whose ordinary
# build does not fit the CPU build of torch, and after that `import transformers` fails.
BESIDES = {
    "accelerate": "1.15.0",  # kronfluence
    "einconv": "0.1.0",
    "einops": "0.8.2",
    "opt_einsum": "3.4.0",
    "contourpy": "1.3.3",  # captum, by way of matplotlib
    "cycler": "0.12.1",
    "fonttools": "4.68.0",
    "kiwisolver": "1.5.1",
    "matplotlib": "3.11.2",
    "pillow": "13.0.0",
    "pyparsing": "3.3.3",
}


def prepare(folder=FOLDER, run=subprocess.run):
    """Install them unless they are there; returns the folder.

    Raises:
        Unable: pip did not bring them.
    """
    wanted = [f"{name}=={version}" for name, version in (PEERS | BESIDES).items()]
    stamp = folder / "installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8").split() == wanted:
        return folder
    print(f"Installing {', '.join(PEERS)} and what they import into {os.path.relpath(folder, ROOT)}, once (about 110 MB).", flush=True)
    stamp.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    command += ["--no-deps", "--upgrade", "--target", str(folder), *wanted]
    done = run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines() or ["nothing"]
        raise Unable(
            f"The other libraries could not be installed; pip says: {said[-1].removeprefix('ERROR: ')} "
            "They come from the package index, so this needs the network once. Without --peers everything else is measured."
        )
    stamp.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return folder


def environment(folder):
    """The variables of a process that can import them."""
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
