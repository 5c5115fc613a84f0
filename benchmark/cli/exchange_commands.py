"""Commands that exchange records with a hub."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.options import RESULTS, ResultsOption
from benchmark.cli.terminal import app, console, errors, plainly

DataSet = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A data set on the hub.")]
Pinned = Annotated[
    str, typer.Argument(metavar="OWNER/NAME[@REVISION]", help="A data set, its newest by default.")
]


@app.command()
@plainly
def push(repo: DataSet, results: ResultsOption = RESULTS) -> None:
    """Uploads all records, with marks and disputes, to a data set on the hub in one commit.

    Uploads nothing and exits with code 2 if a record is invalid or the hub rejects the upload.
    """
    from benchmark.records.exchange import push as upload
    from benchmark.records.store import ResultStore

    with errors.status("pushing"):
        commit = upload(ResultStore(results), repo)
    console.print(f"pushed; to download: palimpsest pull {repo}@{commit}", soft_wrap=True)


@app.command()
@plainly
def pull(repo: Pinned, results: ResultsOption = RESULTS) -> None:
    """Downloads the records of a data set on the hub into a folder.

    Adds nothing and exits with code 2 if a record is invalid or differs from an existing one.
    """
    from benchmark.records.exchange import pull as download
    from benchmark.records.store import ResultStore

    name, _, revision = repo.partition("@")
    with errors.status("pulling"):
        got = download(name, revision or "main", ResultStore(results))
    console.print(
        f"{got.records} records of {name}@{got.commit}, {got.new} of them new in {results}",
        soft_wrap=True,
    )
