"""Limits of a container, read from files as Linux writes them."""

from __future__ import annotations

import pytest

from unlearnviz.engine import container


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "text, quota", [("150000 100000\n", 1.5), ("max 100000\n", None), ("200000 100000\n", 2.0), ("", None), ("0 100000\n", None), ("8\n", None)]
)
def test_a_quota_of_the_second_version(tmp_path, text, quota):
    write(tmp_path, cpu_dot_max=text)
    assert container.cpu_quota(tmp_path) == quota


@pytest.mark.parametrize("text, quota", [("50000\n", 0.5), ("-1\n", None), ("400000\n", 4.0)])
def test_a_quota_of_the_first_version(tmp_path, text, quota):
    write(tmp_path, cpu__cpu_dot_cfs_quota_us=text, cpu__cpu_dot_cfs_period_us="100000\n")
    assert container.cpu_quota(tmp_path) == quota


def test_the_limit_of_memory_in_both_versions(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, memory__memory_dot_limit_in_bytes=f"{2**30}\n")
    write(second, memory_dot_max=f"{2**31}\n")
    assert (container.memory_limit(first), container.memory_limit(second)) == (2**30, 2**31)
    write(second, memory_dot_max="max\n")
    assert container.memory_limit(second) is None


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert container.memory_limit(tmp_path) is None
    assert container.cpu_quota(tmp_path) is None
