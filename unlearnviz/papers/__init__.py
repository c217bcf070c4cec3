"""The four papers whose methods run here: what they claim, in our own words, and what became of each claim when it was measured.

Plain data and the JSON that the experiments wrote: neither torch nor widgets, so that the page, the README and a cell show the same.
"""

from unlearnviz.papers.claim import Claim, Experiment, Interval, Trial
from unlearnviz.papers.measured import Finding, claims, claims_table

__all__ = ["Claim", "Experiment", "Finding", "Interval", "Trial", "claims", "claims_table"]
