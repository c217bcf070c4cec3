"""What the tests of gradients share with those of the probes."""

from tests.engine.probes.conftest import _all_in_float64  # noqa: F401 - a fixture
