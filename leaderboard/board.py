"""Data behind the pages: the current records of every scored track, and their standings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.records.frames import expected_seeds, heads, row_names, split_current
from benchmark.records.identity import DEVELOPMENT_SUFFIX, ORACLE, STUDY_PREFIX, TARGET
from benchmark.records.marks import Marks, read_marks
from benchmark.records.outputs import sha256
from benchmark.records.schema import Record
from benchmark.records.store import ResultStore
from benchmark.statistics import Standings
from benchmark.statistics.meta_evaluation import POOL
from benchmark.statistics.practice import ATTACKS_STUDY
from benchmark.statistics.published import standings_of
from benchmark.statistics.scaling import SIZES

REFERENCES = (TARGET, ORACLE)
CONTROLLED_PREFIX = "controlled-"  # of tracks whose models are trained from scratch
METRICS_PAGE, SCALING_PAGE = "metrics.html", "scaling.html"


@dataclass(frozen=True)
class Track:
    """One track's records, successful and failed, without their values, and the row name of each
    record by id; `marks` are those of the whole results folder. Study tracks are ranked only if
    there are no other tracks.
    """

    name: str
    records: list[Record]
    row_names: dict[str, str]
    standings: Standings
    expected: dict[str, int]
    marks: Marks = field(default_factory=Marks)
    is_ranked: bool = True

    @property
    def tasks(self) -> list[str]:
        return sorted({record.task.name for record in self.records})

    @property
    def variants(self) -> list[str]:
        return sorted({record.variant for record in self.records})

    @property
    def proxies(self) -> list[str]:
        """The variants without an exact oracle, whose scores are relative to a proxy reference."""
        return sorted({r.variant for r in self.records if r.references and r.references.proxy})

    def proxies_of(self, task: str) -> list[str]:
        return sorted({r.variant for r in self.records_of(task) if r.variant in self.proxies})

    def records_of(self, task: str) -> list[Record]:
        return [record for record in self.records if record.task.name == task]

    def references(self, variant: str) -> list[Record]:
        """The successful target and oracle records of a variant, targets first."""
        records = [
            r
            for r in self.records
            if r.variant == variant and r.method.name in REFERENCES and r.status == "ok"
        ]
        return sorted(records, key=lambda r: (r.method.name == ORACLE, r.seed))


@dataclass(frozen=True)
class Board:
    """All tracks, the folder they were read from, and the cache of content derived from it.

    Left out of the tracks are `superseded` records and `development` tracks, of which only the
    `trials` are shown. `digest` identifies all records of the folder. `extra` names the optional
    pages: metrics, if there are pools of models to judge them by, and scaling, if a scaling track
    has scores.
    """

    results: ResultStore
    derived: Derived
    tracks: list[Track]
    development: list[str]
    superseded: list[Record]
    trials: list[Record]
    digest: str = ""
    extra: frozenset[str] = frozenset()

    @property
    def ranked(self) -> list[Track]:
        """The ranked tracks, those of pretrained models first."""
        ranked = [track for track in self.tracks if track.is_ranked]
        return sorted(ranked, key=lambda track: track.name.startswith(CONTROLLED_PREFIX))

    @property
    def attacked(self) -> list[Track]:
        """The ranked tracks and the attack study, whose records include every attack."""
        ranked = self.ranked
        return ranked + [t for t in self.tracks if t.name == ATTACKS_STUDY and t not in ranked]


def load_board(results: Path, derived: Derived | None = None) -> Board:
    """Reads and scores a results folder; BadInput if it has nothing to show or a record cannot
    be read.
    """
    store = ResultStore(results)
    records = list(heads(store))
    if not records:
        raise BadInput(
            f"{results}: no records to show; `palimpsest run --out {results}` writes some"
        )
    development = sorted({r.track for r in records if r.track.endswith(DEVELOPMENT_SUFFIX)})
    scored = [r for r in records if r.track not in development]
    in_development = [r for r in records if r.track in development]
    if not scored:
        raise BadInput(
            f"{results}: only development tracks ({', '.join(development)}), which are never scored"
        )
    current, superseded = split_current(scored)
    names = sorted({r.track for r in current})
    derived = derived or Derived()
    by_track = {name: [r for r in current if r.track == name] for name in names}
    marks = read_marks(store.root)
    tracks = [_track(store, name, records, derived, marks) for name, records in by_track.items()]
    if not all(map(_is_study, names)):
        tracks = [replace(track, is_ranked=not _is_study(track.name)) for track in tracks]
    pooled = any(r.method.name == POOL and r.status == "ok" for r in records)
    sized = any(track.name in SIZES and len(track.standings.variants) for track in tracks)
    filled = {METRICS_PAGE: pooled, SCALING_PAGE: sized}
    extra = frozenset(page for page, is_filled in filled.items() if is_filled)
    trials = [r for r in split_current(in_development)[0] if r.trial]
    digest = sha256("".join(sorted(record.seal for record in records)).encode())
    return Board(store, derived, tracks, development, superseded, trials, digest, extra)


def _is_study(track: str) -> bool:
    return track.startswith(STUDY_PREFIX)


def _track(
    store: ResultStore, name: str, records: list[Record], derived: Derived, marks: Marks
) -> Track:
    expected = expected_seeds(records)
    scored = standings_of(store, records, expected, derived)
    return Track(name, records, row_names(records), scored, expected, marks)
