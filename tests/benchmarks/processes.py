"""Fresh processes and fresh kernels: code goes in as text, JSON comes back."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def fresh(code, *arguments):
    """Run Python code in a process of its own; returns what it printed last, read as JSON."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"A measured process failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


@contextmanager
def kernel():
    """A Jupyter kernel of its own: yields a function from the code of a cell to what the cell printed."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel(cwd=str(ROOT))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield lambda code: _run(client, code)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _run(client, code):
    printed, failed = [], []

    def listen(message):
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            printed.append(content["text"])
        if message["msg_type"] == "error":
            failed.append("\n".join(content["traceback"]))

    client.execute_interactive(code, output_hook=listen, timeout=600)
    if failed:
        raise RuntimeError(f"A measured cell failed:\n{failed[0]}")
    return "".join(printed)
