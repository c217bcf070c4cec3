"""The tests of unlearnviz. The folders mirror the package; `browser` drives a real page."""
