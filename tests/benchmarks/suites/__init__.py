"""One suite per file: `measure(plan)` gives rows."""
