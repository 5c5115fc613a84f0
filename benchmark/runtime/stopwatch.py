"""A stopwatch that tells where the time of a run went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Wall seconds by stage; a stage within another is not counted twice."""

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
        """Counts what took no time here because it was done before."""
        self.seconds[name] = round(self.seconds.get(name, 0) + seconds, 3)
