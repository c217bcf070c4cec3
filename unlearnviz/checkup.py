"""doctor: what is installed, what the computer allows, what the page can show, and the one thing to mend first."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnviz import __version__
from unlearnviz.engine import container, threads
from unlearnviz.numbers import number

if TYPE_CHECKING:
    from unlearnviz.views.doctor import Doctor

ENGINE = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "rapidfuzz")
WIDGETS = ("ipywidgets", "anywidget", "plotly", "traitlets", "ipykernel")
PLACES = ("jupyterlab", "jupyterlab_widgets", "notebook", "voila")
NEEDED = 700 * 10**6  # bytes that a kernel with the shipped model and the dashboard takes
FINE = "Nothing that needs mending was found."


@dataclass(frozen=True)
class Finding:
    """One line of the report, and what to do about it where something is wrong.

    Attributes:
        topic: "kernel", "memory", "page" and so on.
        text: what was found.
        fix: what to try; "" where all is well.
    """

    topic: str
    text: str
    fix: str = ""


def doctor() -> Doctor:
    """Examine kernel and page: put it on the last line of a notebook cell. In a terminal, `unlearnviz doctor` prints the same of Python alone."""
    from unlearnviz.views.doctor import Doctor

    return Doctor(kernel_findings(), page_findings, report)


def report(findings: list[Finding]) -> str:
    """The findings as text, one a line, and last the one fix to try."""
    width = max(len(each.topic) for each in findings)
    lines = [f"{each.topic:<{width}}  {each.text}" for each in findings]
    fixes = [each.fix for each in findings if each.fix]
    return "\n".join([*lines, f"{'to do':<{width}}  {fixes[0] if fixes else FINE}"])


def kernel_findings(root: Path = container.ROOT) -> list[Finding]:
    """What can be found without a page."""
    return [
        Finding("unlearnviz", f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"),
        _installed("engine", ENGINE),
        _torch(),
        _installed("widgets", WIDGETS),
        _places(),
        _threads(root),
        _memory(root),
        _shipped(),
    ]


def page_findings(page: Mapping[str, Any]) -> list[Finding]:
    """What the page told of itself: `host`, `browser`, `extensions` (name -> version or ""), and what it `can` do (name -> bool)."""
    extensions: Mapping[str, str] = page.get("extensions", {})
    here = version("anywidget")
    there = extensions.get("anywidget", "")
    named = ", ".join(f"{name} {number or 'of unknown version'}" for name, number in extensions.items())
    found = [Finding("page", f"{page.get('host', 'unknown')}; {page.get('browser', 'a browser that does not say which')}")]
    fix = ""
    if there and here and there.split(".")[:2] != here.split(".")[:2]:
        fix = (
            f"Page and kernel have different versions of anywidget ({there} and {here}): install {here} where the server runs "
            f"(pip install anywidget=={here}), and load the page anew."
        )
    found.append(Finding("in page", f"widgets are displayed; {named or 'versions are not told by this place'}", fix))
    missing = [name for name, works in page.get("can", {}).items() if not works]
    text = f"not allowed or not there: {', '.join(missing)}; the rest works without" if missing else "clipboard, storage and unpacking work"
    return [*found, Finding("browser", text)]


def version(package: str) -> str:
    """The installed version; "" where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _installed(topic: str, names: tuple[str, ...]) -> Finding:
    missing = [name for name in names if not version(name)]
    fix = f"Install what is missing: pip install {' '.join(missing)}." if missing else ""
    return Finding(topic, ", ".join(f"{name} {version(name) or 'is missing'}" for name in names), fix)


def _places() -> Finding:
    """Where notebooks can be shown; without any of them in this environment, the server runs in another one."""
    here = [f"{name} {version(name)}" for name in PLACES if version(name)]
    return Finding("servers", ", ".join(here) or "none in this environment: the notebook server, if there is one, runs in another")


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: on Windows, a library of the system that torch needs
        text = f"cannot be loaded: {error}"
        return Finding("torch", text, "Install torch again (pip install --force-reinstall torch); on Windows also the Visual C++ runtime.")
    if torch.cuda.is_available():
        return Finding("torch", f"built for CUDA {torch.version.cuda}; {torch.cuda.get_device_name(0)}")
    build = f"built for CUDA {torch.version.cuda}, but no graphics card answers" if torch.version.cuda else "built for the CPU"
    return Finding("torch", f"{build}; models run on the CPU")


def _threads(root: Path) -> Finding:
    quota, allowed = container.cpu_quota(root), threads.allowed_threads(root)
    limit = "no quota" if quota is None else f"a quota of {number(quota)} cores"
    text = f"{threads.usable_cores()} of {os.cpu_count()} cores may be used, {limit}: {allowed} at once"
    chosen = {name: os.environ[name] for name in threads.CHOSEN if os.environ.get(name)}
    too_many = any(value.isdigit() and int(value) > allowed for value in chosen.values())
    fix = f"More threads than can run at once make steps slow: set OMP_NUM_THREADS={allowed} before Python starts." if too_many else ""
    return Finding("threads", text + "".join(f"; {name}={value}" for name, value in chosen.items()), fix)


def _memory(root: Path) -> Finding:
    total, free, limit = _total_memory(), _free_memory(), container.memory_limit(root)
    if limit is not None and total is not None and limit >= total:
        limit = None  # the first version of cgroups says a huge number for no limit
    known = [f"{_gigabytes(total)} in this computer" if total else "", f"{_gigabytes(free)} of it free" if free else ""]
    known += [f"the container allows {_gigabytes(limit)}" if limit else "no container limit"]
    room = min((each for each in (free, limit) if each is not None), default=None)
    fix = ""
    if room is not None and room < NEEDED:
        fix = f"A kernel with the dashboard needs about {_gigabytes(NEEDED)}: shut down other notebooks' kernels, or ask for more memory."
    return Finding("memory", ", ".join(each for each in known if each), fix)


def _total_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def _free_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # only Linux has it
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _gigabytes(count: float) -> str:
    return f"{number(count / 10**9)} GB"


def _shipped() -> Finding:
    from unlearnviz.demo.shipped import FOLDER

    missing = [name for name in ("world.json", "tokenizer.json", "model.safetensors", "twin.safetensors") if not (FOLDER / name).is_file()]
    if missing:
        text = f"{', '.join(missing)} of the shipped model cannot be found"
        return Finding("demo", text, "Install unlearnviz again: pip install --force-reinstall unlearnviz.")
    return Finding("demo", "the shipped model is there")
