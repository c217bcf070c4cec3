"""Opening: the package alone, and the shipped world beside what transformers itself takes."""

import statistics

from tests.benchmarks.processes import fresh
from tests.benchmarks.registry import Row

IMPORT = """
import time
began = time.perf_counter()
import unlearnviz
print(time.perf_counter() - began)
"""

LIBRARY = """
import time
began = time.perf_counter()
from transformers import GPT2LMHeadModel
print(time.perf_counter() - began)
"""

OPEN = """
import json, sys, time
began = time.perf_counter()
exec(sys.argv[1])
taken = time.perf_counter() - began
import psutil
print(json.dumps([taken, psutil.Process().memory_info().rss / 1e6]))
"""


def measure(plan):
    fresh(OPEN, plan.cell)  # files are read once, so that no variant pays for the disk
    imports, library, opened = [], [], []
    for _ in range(plan.times(5)):
        imports.append(fresh(IMPORT))
        library.append(fresh(LIBRARY))
        opened.append(fresh(OPEN, plan.cell))
    yield Row("start", "import unlearnviz", statistics.median(imports), "s", at_most=0.3)
    beyond = [seconds - base for (seconds, _), base in zip(opened, library, strict=True)]
    base = f"from transformers import GPT2LMHeadModel: {statistics.median(library):.2f} s"
    yield Row("start", "uv.demo() beyond the import of transformers", statistics.median(beyond), "s", base, at_most=1.0)
    yield Row("start", "resident after uv.demo()", statistics.median(size for _, size in opened), "MB", at_most=450)
