"""The number of threads: what the container allows, set once, and never against a person's choice."""

from __future__ import annotations

import os

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine import threads


@pytest.fixture
def torch_threads(monkeypatch):
    """A torch of 8 threads on a computer of 8 cores, and nothing settled; a list of what was set."""
    monkeypatch.setattr(threads, "_settled", False)
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    return given


def quota(root, text):
    (root / "cpu.max").write_text(text)
    return root


@pytest.mark.parametrize(
    "text, cores, allowed",
    [("max 100000", 8, 8), ("200000 100000", 8, 2), ("250000 100000", 8, 2), ("50000 100000", 8, 1), ("400000 100000", 1, 1)],
)
def test_the_quota_counts_rounded_down_and_never_more_than_the_cores(tmp_path, text, cores, allowed):
    assert threads.allowed_threads(quota(tmp_path, text), cores=cores) == allowed


def test_usable_cores_are_those_the_process_is_bound_to(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 3, 5}, raising=False)
    assert threads.usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert threads.usable_cores() == 6


def test_torch_gets_what_the_container_allows_once(tmp_path, torch_threads):
    root = quota(tmp_path, "200000 100000")
    assert threads.settle(root, environment={}) == 2
    assert threads.settle(root, environment={}) is None
    assert torch_threads == [2]


@pytest.mark.parametrize("name", threads.CHOSEN)
def test_a_variable_decides(tmp_path, torch_threads, name):
    assert threads.settle(quota(tmp_path, "200000 100000"), environment={name: "8"}) is None
    assert torch_threads == []


def test_a_number_that_somebody_gave_to_torch_stays(tmp_path, torch_threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert threads.settle(quota(tmp_path, "200000 100000"), environment={}) is None
    assert torch_threads == []


def test_it_never_raises_the_number(tmp_path, torch_threads):
    assert threads.settle(quota(tmp_path, "1600000 100000"), environment={}) is None
    assert torch_threads == []


def test_opening_a_session_settles_it(torch_threads, monkeypatch):
    asked = []
    monkeypatch.setattr(threads, "settle", lambda: asked.append("settle"))
    worlds.session()
    assert asked == ["settle"]
