"""Packs a row for submission: the files that its pull request adds, validated before writing."""

from __future__ import annotations

import ast
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmark.authoring.card import Card
from benchmark.authoring.tuning import development_of
from benchmark.errors import BadInput
from benchmark.models.track_files import chosen_path, mapping
from benchmark.pipeline.plan import Cell, Plan
from benchmark.records.marks import checked_name, sign
from benchmark.records.schema import GUARDRAIL, WEIGHTS, Record
from benchmark.records.store import ResultStore, copy_record, read_record
from benchmark.records.validation import Folder, validate

COMMIT_DIGITS = 40


@dataclass(frozen=True)
class Submission:
    """A method's row: its file, the records of all its cells, and the trials of its tuning."""

    method: str
    file: Path
    records: list[Record]
    trials: list[Record]

    @property
    def division(self) -> str:
        guarded = any(record.provenance.division == GUARDRAIL for record in self.records)
        return GUARDRAIL if guarded else WEIGHTS

    @property
    def tracks(self) -> list[str]:
        return sorted({record.track for record in self.records})


def submission_of(plan: Plan, file: Path, results: ResultStore) -> Submission:
    """Builds the submission from the plan of one method's cells. BadInput if a cell is missing,
    failed or on a development track, if a record does not come from committed code, or if `file`
    has relative imports.
    """
    if plan.missing:
        raise BadInput(f"not all cells can be checked here: {plan.missing[0]}")
    if trial := next((cell for cell in plan.cells if cell.identity.is_trial), None):
        raise BadInput(
            f"{trial.identity.track} is a development track, which is never scored; submit records "
            "of another"
        )
    cells = (*plan.references, *plan.cells)
    lacking = [cell for cell in cells if cell.id not in plan.cached]
    if lacking:
        raise BadInput(
            f"{results.root}: {len(lacking)} of {len(cells)} cells of the row are missing or "
            f"failed, first {lacking[0].label}: {_lack(lacking[0], results)}"
        )
    records = [read_record(cell.path(results)) for cell in plan.cells]
    name = records[0].method.name
    _require_committed(records)
    _require_one_file(file)
    tried = (read_record(path) for path in results.paths() if path.parent.name == name)
    tuned_on = {development_of(record.track) for record in records}
    trials = [r for r in tried if r.is_trial and r.status == "ok" and r.track in tuned_on]
    return Submission(name, file, records, trials)


def _lack(cell: Cell, results: ResultStore) -> str:
    path = cell.path(results)
    if not path.is_file():
        return "it has no record"
    record = read_record(path)
    if record.error:
        return f"it failed: {' '.join(record.error.message.split())}"
    lacks = cell.lacks(record)
    return f"its record lacks {lacks[0]}" if lacks else "its record has other references"


def _require_committed(records: list[Record]) -> None:
    """Raises BadInput if a record lacks a clean commit, which published records must name."""
    loose = [
        record
        for record in records
        if record.provenance.dirty or len(record.provenance.commit) != COMMIT_DIGITS
    ]
    if loose:
        raise BadInput(
            f"{len(loose)} of {len(records)} records do not come from committed code in a git "
            f"clone, first {loose[0].id}; commit your changes, then rerun with --force"
        )


def _require_one_file(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise BadInput(
                f"{file}: line {node.lineno} has a relative import; a submitted method must be "
                "a single file"
            )


def pack(
    submission: Submission, card: Card, card_file: Path, results: ResultStore, out: Path
) -> None:
    """Writes the file tree that a pull request adds, or nothing; BadInput if `out` is not empty, if
    the card names another division than the records, or if the packed records do not validate.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out}: exists and is not empty; choose another folder")
    if card.division != submission.division:
        raise BadInput(
            f"{card_file}: division: is {card.division}, the records are of the division "
            f"{submission.division}"
        )
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as workplace:
        fresh = Path(workplace) / "pack"
        packed = ResultStore(fresh / "results")
        for path in sorted(_paths(submission, results)):
            copy_record(path, results, packed)
        _require_valid(packed, results)
        sign(packed, "submitted", checked_name(card.names), submission.records, card.code)
        _copy(submission.file, fresh / "methods" / f"{submission.method}.py")
        _copy(card_file, fresh / "submissions" / submission.method / "card.yaml")
        for rates in _chosen_rates(submission):
            _copy(rates, fresh / "benchmark" / "tracks" / "chosen" / rates.name)
        fresh.rename(place)


def _chosen_rates(submission: Submission) -> set[Path]:
    """The files with the learning rates that trials chose for the method on its tracks."""
    files = {path for track in submission.tracks if (path := chosen_path(track)).is_file()}
    return {path for path in files if submission.method in mapping(path)}


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def _paths(submission: Submission, results: ResultStore) -> set[Path]:
    """Paths of the records and trials, of their references, and of the references of those."""
    paths: set[Path] = set()
    for record in (*submission.records, *submission.trials):
        compared = results.reference_paths(record)
        paths |= {results.path_of(record), *compared}
        paths |= {p for path in compared for p in results.reference_paths(read_record(path))}
    return paths


def _require_valid(packed: ResultStore, results: ResultStore) -> None:
    findings = validate(Folder(packed))
    if findings:
        first = str(findings[0]).replace(str(packed.root), str(results.root))
        raise BadInput(f"{len(findings)} findings, first {first}")
