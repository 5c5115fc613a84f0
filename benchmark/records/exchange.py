"""Records as a data set on the hub: pushed in one commit, pulled at a pinned revision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BadInput
from benchmark.records.folder import Folder
from benchmark.records.store import (
    DISPUTES,
    MARKS,
    OUTPUTS_SUFFIX,
    ResultStore,
    copy_record,
    write_atomically,
)
from benchmark.records.validation import validate
from benchmark.runtime.hub import hub_answers

FILES = (
    *("*/*/*/*/*.json", f"*/*/*/*/*{OUTPUTS_SUFFIX}", "*/*/*/inputs-*.parquet"),
    *(f"{folder}/*.json" for folder in (MARKS, DISPUTES)),
)


@dataclass(frozen=True)
class Pulled:
    """The outcome of a pull: the commit, its number of records, and how many were new here."""

    commit: str
    records: int
    new: int


def push(results: ResultStore, repo: str) -> str:
    """Uploads all records with their marks to a data set, creating it if needed, and returns the
    commit. BadInput if there are no records, if one is invalid, or if the hub refuses.
    """
    _require_valid(results, str(results.root))
    with _asking(repo):
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(repo, repo_type="dataset", exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo,
            repo_type="dataset",
            folder_path=results.root,
            allow_patterns=list(FILES),
            commit_message=f"{len(results.paths())} records of Palimpsest",
        )
    return str(commit.oid)


def pull(repo: str, revision: str, results: ResultStore) -> Pulled:
    """Adds the records of a revision of a data set to a folder; BadInput, with nothing added, if
    a record is invalid or a local file differs.
    """
    with _asking(repo):
        from huggingface_hub import HfApi, snapshot_download

        commit = str(HfApi().dataset_info(repo, revision=revision).sha)
        # Downloads into the hub's cache, where an interrupted download is resumed.
        folder = snapshot_download(
            repo, repo_type="dataset", revision=commit, allow_patterns=list(FILES)
        )
    pulled = ResultStore(Path(folder))
    _require_valid(pulled, f"{repo}@{commit}")
    return Pulled(commit, len(pulled.paths()), _added(pulled, results))


def _added(pulled: ResultStore, results: ResultStore) -> int:
    """Copies new records and marks and returns the number of records copied; BadInput if a
    local file differs.
    """
    records = pulled.paths()
    marks = [f for name in (MARKS, DISPUTES) for f in (pulled.root / name).glob("*.json")]
    places = {file: results.root / file.relative_to(pulled.root) for file in (*records, *marks)}
    for file, own in places.items():
        if own.exists() and own.read_bytes() != file.read_bytes():
            raise BadInput(f"{own}: differs from what was pulled; pull into another folder")
    new = [file for file in records if not places[file].exists()]
    for file in new:
        copy_record(file, pulled, results)
    for file in marks:
        write_atomically(places[file], file.read_bytes())
    return len(new)


def _require_valid(results: ResultStore, where: str) -> None:
    """BadInput unless there are records and all are valid, without recomputing their values."""
    folder = Folder(results)
    if not folder.records and not folder.unreadable:
        raise BadInput(f"{where}: no records")
    if findings := validate(folder, recompute=False):
        first = str(findings[0]).removeprefix(f"{results.root}/")
        raise BadInput(f"{where}: {len(findings)} findings of `validate`, first {first}")


@contextmanager
def _asking(repo: str) -> Iterator[None]:
    """Turns any error of the hub into a one-line BadInput."""
    if not hub_answers():
        raise BadInput(f"{repo}: no hub can be reached")
    try:
        yield
    except Exception as error:  # missing data set, no permission, lost connection: the hub's
        # library passes on the exceptions of the libraries below it
        reason = str(error).strip().partition("\n")[0]
        raise BadInput(f"{repo}: the hub says {type(error).__name__}: {reason}") from None
