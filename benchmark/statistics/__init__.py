"""Statistics: from per-example scores to recoveries, axes, scores, intervals and ranks; DataFrames in and out."""

from benchmark.statistics.ranking import Standings, standings
from benchmark.statistics.scores import AXES, FLOOR, recovery

__all__ = ["AXES", "FLOOR", "Standings", "recovery", "standings"]
