"""Records as a data set on a hub: pushed in one commit, pulled at a pinned revision."""

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
    """What a pull brought: the commit, how many records it has, and how many were new here."""

    commit: str
    records: int
    new: int


def push(results: ResultStore, repo: str) -> str:
    """Uploads all records with their marks to a data set, which is made if there is none; its
    commit. BadInput if there are no records, if one is not valid, or if the hub refuses.
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
    """Adds the records of a data set's revision to a folder, and nothing if one of them is not
    valid or differs from the one that is there: BadInput.
    """
    with _asking(repo):
        from huggingface_hub import HfApi, snapshot_download

        commit = str(HfApi().dataset_info(repo, revision=revision).sha)
        # Into the hub's cache, where a download that broke off is taken up again.
        folder = snapshot_download(
            repo, repo_type="dataset", revision=commit, allow_patterns=list(FILES)
        )
    pulled = ResultStore(Path(folder))
    _require_valid(pulled, f"{repo}@{commit}")
    return Pulled(commit, len(pulled.paths()), _added(pulled, results))


def _added(pulled: ResultStore, results: ResultStore) -> int:
    """How many records were copied; the files that are there already stay as they are."""
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
    """BadInput unless there are records and all are valid, as far as hashes tell."""
    folder = Folder(results)
    if not folder.records and not folder.unreadable:
        raise BadInput(f"{where}: no records")
    if findings := validate(folder, recompute=False):
        first = str(findings[0]).removeprefix(f"{results.root}/")
        raise BadInput(f"{where}: {len(findings)} findings of `validate`, first {first}")


@contextmanager
def _asking(repo: str) -> Iterator[None]:
    """Turns whatever keeps the hub from answering into one line."""
    if not hub_answers():
        raise BadInput(f"{repo}: no hub can be reached")
    try:
        yield
    except Exception as error:  # no such data set, no permission, a lost connection: the hub's own
        # library raises what the library below it raises
        reason = str(error).strip().partition("\n")[0]
        raise BadInput(f"{repo}: the hub says {type(error).__name__}: {reason}") from None
