"""Threads: as many as the container lets run at once. More than that wait for each other, and a step takes several times as long.

torch starts a thread for every core that it sees. It sees the cores that the process is bound to, but not the quota that Binder,
JupyterHub or docker give in time: on a server of 64 cores with a quota of 2, that is 64 threads on the time of 2.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from unlearnviz.engine import container

CHOSEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # whoever sets one of these has decided
_settled = False


def usable_cores() -> int:
    """Cores that this process is bound to; where the system does not say, all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def allowed_threads(root: Path = container.ROOT, *, cores: int | None = None) -> int:
    """Threads that can run at once: the usable cores, or the container's quota rounded down if that is less; at least 1."""
    cores = usable_cores() if cores is None else cores
    quota = container.cpu_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def settle(root: Path = container.ROOT, *, environment: Mapping[str, str] = os.environ) -> int | None:
    """Give torch as many threads as the container allows, when the first session of the process is opened; the number, if it was set.

    Once only, so that it stays the same afterwards: the last bits of a step depend on the number of threads. It only ever lowers
    torch's own choice. Somebody who chose before, by a variable of `CHOSEN` or by `torch.set_num_threads`, keeps that; somebody who
    chooses later does, too.
    """
    global _settled  # noqa: PLW0603 - the number of threads belongs to the process, and so does this
    if _settled:
        return None
    _settled = True
    import torch

    present, allowed = torch.get_num_threads(), allowed_threads(root)
    unchosen = present in {usable_cores(), os.cpu_count(), (os.cpu_count() or 2) // 2}  # torch's own choice: all cores, or the physical ones
    if not unchosen or present <= allowed or any(environment.get(name) for name in CHOSEN):
        return None
    torch.set_num_threads(allowed)
    return allowed
