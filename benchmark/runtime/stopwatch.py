"""A stopwatch that records how long each stage of a run took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Wall seconds by stage; time in a nested stage counts for that stage only."""

    seconds: dict[str, float] = field(default_factory=dict)
    _within: float = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started, outer, self._within = time.perf_counter(), self._within, 0.0
        try:
            yield
        finally:
            passed = time.perf_counter() - started
            self.seconds[name] = round(self.seconds.get(name, 0) + passed - self._within, 3)
            self._within = outer + passed

    def add(self, name: str, seconds: float) -> None:
        """Adds the seconds of work that was done earlier and took no time in this run."""
        self.seconds[name] = round(self.seconds.get(name, 0) + seconds, 3)
