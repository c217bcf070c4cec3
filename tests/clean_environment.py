"""A Python environment that holds nothing yet, for tests that install as a newcomer would."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CPU_INDEX = os.environ.get("UNLEARNVIZ_TORCH_INDEX", "https://download.pytorch.org/whl/cpu")


@dataclass(frozen=True)
class CleanEnvironment:
    """A fresh venv in a folder of its own."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / "venv" / ("Scripts" if os.name == "nt" else "bin")

    @property
    def packages(self) -> Path:
        """Where its packages lie."""
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder / "venv"), "platbase": str(self.folder / "venv")}))

    def __call__(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Runs a command with the venv first on PATH; its output, or an error that carries it.

        The person's pip configuration stays in force; Python's own path variables do not.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= {"PATH": f"{self.programs}{os.pathsep}{environment['PATH']}", "PIP_RETRIES": "1", "HF_HUB_OFFLINE": "1"}
        words = [str(word) for word in command]
        result = subprocess.run(
            words, cwd=cwd or self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{' '.join(words)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
        return result.stdout


@contextmanager
def clean_environment() -> Iterator[CleanEnvironment]:
    """Makes one, and removes it afterwards: it is too large to be kept for a later look."""
    with tempfile.TemporaryDirectory(prefix="unlearnviz-clean-") as folder:
        subprocess.run([sys.executable, "-m", "venv", f"{folder}/venv"], check=True)
        yield CleanEnvironment(Path(folder))


def working_files() -> list[Path]:
    """The files of the repository as they are now, without what git ignores; paths from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(Path(name) for name in set(names) if name and (ROOT / name).is_file())
