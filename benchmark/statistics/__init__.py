"""Statistics that turn per-example scores into recoveries, axes, scores, intervals and ranks;
DataFrames in and out.
"""

from benchmark.statistics.axes import AXES, FLOOR, SCORE_VERSION
from benchmark.statistics.findings import findings
from benchmark.statistics.ranking import Standings, standings
from benchmark.statistics.scores import recovery
from benchmark.statistics.tables import metric_name

__all__ = [
    "AXES",
    "FLOOR",
    "SCORE_VERSION",
    "Standings",
    "findings",
    "metric_name",
    "recovery",
    "standings",
]
