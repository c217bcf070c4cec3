"""What the tests of the engine share."""

from __future__ import annotations

import pytest
import torch

from tests.engine import worlds
from unlearnviz.engine.methods.method import registry as methods
from unlearnviz.engine.probes.probe import registry as probes


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Bit-exactness holds for one thread count; tiny models are fastest with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No test reads or writes the cache of the person who runs it."""
    monkeypatch.setenv("UNLEARNVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _own_registries(monkeypatch):
    """Methods and probes that a test defines go with it."""
    for registry in (methods, probes):
        list(registry)
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))


@pytest.fixture
def session():
    """A fresh session over a tiny tied model, with a person picked."""
    return worlds.session()


@pytest.fixture
def taught():
    """A fresh session over a tiny model that recites its texts, with a person picked."""
    return worlds.session(taught=True)
