"""The command that reruns published cells."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli.groups import DataSources, grouped
from benchmark.cli.options import RESULTS, ResultsOption, SignOption
from benchmark.cli.selection import inputs_of
from benchmark.cli.signing import signed
from benchmark.cli.terminal import app, console, errors, plainly
from benchmark.errors import BadInput


@app.command()
@plainly
@grouped
def replay(
    ids: Annotated[list[str], typer.Argument(help="Ids of records.")],
    data: DataSources,
    results: ResultsOption = RESULTS,
    sign: SignOption = None,
) -> None:
    """Reruns published cells from their identities and compares outputs and values.

    Exit code 1 if a value differs by more than the tolerance. Possible causes: forged outputs, a
    changed engine, or a processor that rounds differently (reported first). Attacks that have
    changed since the record was made are listed and skipped. --sign marks the records whose outputs
    are all identical to the last digit.
    """
    from torch.backends.cpu import get_cpu_capability

    from benchmark.execution.run_plan import prepare_worker
    from benchmark.pipeline.replay import TOLERANCE
    from benchmark.pipeline.replay import replay as make_again
    from benchmark.records.marks import checked_name
    from benchmark.records.provenance import processor
    from benchmark.records.store import ResultStore, read_record

    if sign is not None:
        checked_name(sign)
    store = ResultStore(results)
    paths = {path.stem: path for path in store.paths()}
    if unknown := [i for i in ids if i not in paths]:
        raise BadInput(f"{results}: no record {unknown[0]}")
    table = Table(
        *("record", "run", "identical stages", "values", "largest difference", "within tolerance")
    )
    here, held, same = processor(get_cpu_capability()), True, []
    records = [read_record(paths[i]) for i in ids]
    if failed := [record.id for record in records if record.status != "ok"]:
        raise BadInput(f"{failed[0]}: this cell failed, so there is nothing to compare")
    for record in records:
        if record.provenance.cpu != here:
            errors.print(f"{record.id}: made on {record.provenance.cpu}, this is {here}")
        prepare_worker(record.provenance.threads)
        with tempfile.TemporaryDirectory() as folder, console.status(f"replaying {record.id}"):
            replayed = make_again(record, store, inputs_of(data), Path(folder))
        if replayed.changed_attacks:
            changed = ", ".join(replayed.changed_attacks)
            errors.print(f"{record.id}: skipped attacks that have changed: {changed}")
        held &= replayed.holds
        same += [record] if replayed.identical else []
        table.add_row(
            record.id,
            f"{record.method.name} · {record.variant} · seed {record.seed}",
            f"{len(replayed.same_stages)} of {len(record.shards)}",
            str(len(replayed.differences)),
            f"{max(replayed.differences.values()):.4f}",
            "yes" if replayed.holds else "no",
        )
    console.print(table)
    if sign is not None:
        signed(results, "rerun", sign, same)
    if not held:
        errors.print(f"palimpsest: values differ by more than {TOLERANCE}")
        raise typer.Exit(1)
