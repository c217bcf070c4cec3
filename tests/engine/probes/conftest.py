"""What the tests of single probes share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def _all_in_float64(monkeypatch):
    """Llama, OPT and GPT-NeoX compute norms and attention in float32 whatever their weights are: here they do not."""
    monkeypatch.setattr(torch, "float32", torch.float64)
