"""Probes, one measurement per file; `registry["perplexity"]` finds a class by name."""

from unlearnviz.engine.probes.probe import registry

__all__ = ["registry"]
