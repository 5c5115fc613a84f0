"""Statistics: from per-example scores to recoveries, axes, scores, intervals and ranks;
DataFrames in and out.
"""

from benchmark.statistics.findings import findings
from benchmark.statistics.ranking import Standings, standings
from benchmark.statistics.scores import AXES, FLOOR, recovery
from benchmark.statistics.tables import metric_name

__all__ = ["AXES", "FLOOR", "Standings", "findings", "metric_name", "recovery", "standings"]
