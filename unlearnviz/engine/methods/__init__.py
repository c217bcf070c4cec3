"""Unlearning methods, one per file; `registry["gradient-ascent"]` finds a class by name."""

from unlearnviz.engine.methods.method import registry

__all__ = ["registry"]
