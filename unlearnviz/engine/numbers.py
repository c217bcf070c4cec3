"""Where numbers.py was for an hour."""

from unlearnviz.numbers import change, number, percent, signed

__all__ = ["change", "number", "percent", "signed"]
