"""What the container allows, read from the control groups of Linux; elsewhere, and without a limit, None."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def memory_limit(root: Path = ROOT) -> int | None:
    """Bytes that all processes of the container may use together; a huge number where the first version of cgroups sets no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _read(root / name)
        if limit and limit[0].isdigit():
            return int(limit[0])
    return None


def cpu_quota(root: Path = ROOT) -> float | None:
    """Cores that all processes of the container may use together, such as 1.5: time on cores over time on the clock."""
    both = _read(root / "cpu.max")  # second version: "150000 100000", or "max 100000"
    if not both:
        both = [*_read(root / "cpu" / "cpu.cfs_quota_us"), *_read(root / "cpu" / "cpu.cfs_period_us")]  # first: "-1" is no limit
    if len(both) != 2 or not all(each.isdigit() for each in both) or not int(both[0]) or not int(both[1]):
        return None
    return int(both[0]) / int(both[1])


def _read(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
