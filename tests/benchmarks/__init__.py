"""What `./run bench` measures: every figure that the project promises, one suite per file.

A suite is a function from a `Plan` to rows; `registry.SUITES` finds it by name. Speeds are ratios of variants that took turns
in one run; bytes, counts and latencies of the page are absolute.
"""
