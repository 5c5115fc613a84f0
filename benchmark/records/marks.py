"""Marks and disputes: what people report about published records without changing them.

A mark, `marks/<mark>-<digest of its content>.json` in the results folder, states what one person
did with any number of records. A dispute, `disputes/*.json`, states how low some records score
under a stronger attack. Both name each record with its digest, so they apply to that content only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import Field, ValidationError, model_validator

from benchmark.core.hashing import fingerprint
from benchmark.errors import BadInput
from benchmark.records.folder import Finding, Folder
from benchmark.records.identity import Part
from benchmark.records.schema import Record
from benchmark.records.store import DISPUTES, MARKS, ResultStore, write_atomically

Kind = Literal["submitted", "recomputed", "rerun"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Line = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=1000)]
Link = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=500)]
Named = Annotated[dict[Digest, Digest], Field(min_length=1)]  # digests of records by id


class Mark(Part):
    """What one person did with some records.

    `submitted`: submitted them as their author; `recomputed`: reproduced their values from their
    outputs (`validate`); `rerun`: ran their cells again and got the same outputs (`replay`).
    """

    mark: Kind
    by: Line
    at: date
    link: Link | None = None
    records: Named


class Dispute(Part):
    """The mean score of some records under a stronger attack; `attacked` has the digests of the
    same cells' records with the attack's outputs, which the link leads to.
    """

    by: Line
    at: date
    link: Link
    attack: Line
    score: float = Field(ge=0, le=1)
    records: Named
    attacked: Named

    @model_validator(mode="after")
    def _same_cells(self) -> Dispute:
        if self.attacked.keys() != self.records.keys():
            raise ValueError("records and attacked must name the same cells")
        if any(self.attacked[i] == digest for i, digest in self.records.items()):
            raise ValueError("attacked must be digests of other records than the disputed ones")
        return self


@dataclass(frozen=True)
class Marks:
    """All marks and disputes of a results folder."""

    marks: list[Mark] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)


Said = TypeVar("Said", Mark, Dispute)


def read_marks(root: Path) -> Marks:
    """The marks and disputes of a results folder; BadInput names the first malformed file."""
    return Marks(
        [read_mark(path, Mark) for path in _files(root, MARKS)],
        [read_mark(path, Dispute) for path in _files(root, DISPUTES)],
    )


def _files(root: Path, folder: str) -> list[Path]:
    return sorted((root / folder).glob("*.json"))


def read_mark(path: Path, kind: type[Said]) -> Said:
    """A mark or a dispute; BadInput if it is malformed."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise BadInput(f"{path}: {where}: {first['msg']}") from None


def sign(
    results: ResultStore, mark: Kind, by: str, records: Iterable[Record], link: str | None = None
) -> Path | None:
    """Marks the records that lack this person's mark; returns its path, None if none did."""
    given = [m for m in read_marks(results.root).marks if (m.mark, m.by) == (mark, by)]
    marked = {pair for earlier in given for pair in earlier.records.items()}
    named = {r.id: r.digest for r in records if (r.id, r.digest) not in marked}
    if not named:
        return None
    today = datetime.now(UTC).date()
    signed = Mark(mark=mark, by=by, at=today, link=link, records=named)
    path = results.root / MARKS / _file_name(signed)
    content = signed.model_dump(mode="json", exclude_none=True)
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


def checked_name(by: str) -> str:
    """The name to sign a mark with; BadInput unless it is one non-empty printable line."""
    if by != by.strip() or not by.isprintable() or not 0 < len(by) <= 1000:
        raise BadInput(f"name {by[:60]!r}: must be one line of text")
    return by


def _file_name(mark: Mark) -> str:
    return f"{mark.mark}-{fingerprint(mark.model_dump(mode='json', exclude_none=True))}.json"


def mark_findings(folder: Folder) -> Iterator[Finding]:
    """Marks and disputes are well-formed and name existing records with their current digests."""
    root = folder.results.root
    for path in _files(root, MARKS):
        yield from _findings(path, MARKS, Mark, folder)
    for path in _files(root, DISPUTES):
        yield from _findings(path, DISPUTES, Dispute, folder)


def _findings(path: Path, check: str, kind: type[Said], folder: Folder) -> Iterator[Finding]:
    try:
        said = read_mark(path, kind)
    except BadInput as error:
        yield Finding(path, check, str(error).removeprefix(f"{path}: "))
        return
    if isinstance(said, Mark) and path.name != _file_name(said):
        yield Finding(path, check, f"its file name should be {_file_name(said)}")
    for message in _mistaken(said.records, folder):
        yield Finding(path, check, message)
    if isinstance(said, Dispute) and len(_rows(said, folder)) > 1:
        yield Finding(path, check, "it names records of several rows")


def _mistaken(named: Mapping[str, str], folder: Folder) -> Iterator[str]:
    for record_id, digest in named.items():
        if record_id not in folder.by_id:
            yield f"there is no record {record_id}"
            continue
        actual = folder.by_id[record_id][1].seal
        if actual != digest:
            yield f"it names {record_id} with digest {digest}, but that record has {actual}"


def _rows(dispute: Dispute, folder: Folder) -> set[str]:
    known = [folder.by_id[i][1] for i in dispute.records if i in folder.by_id]
    return {json.dumps([r.track, r.method.name, r.method.parameters]) for r in known}
