"""Turns command-line options into inputs and plans."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from benchmark.cli.groups import DataSources, Selection
from benchmark.cli.knowledge import try_probe
from benchmark.cli.terminal import console, errors
from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput


def planned_of(chosen: Selection, inputs: Inputs, out: Path, force: bool, ask: bool = False):
    """The plan of the selected part of a suite; BadInput and `ask` as in `plan_of_suite`."""
    from benchmark.pipeline.selection import restrict
    from benchmark.pipeline.suite import load_suite

    own_questions = inputs.forget is not None
    suite, seeds = restrict(
        load_suite(chosen.suite or ("custom" if own_questions else "quick")),
        [*(chosen.tracks or []), *(chosen.models or [])],
        chosen.tasks or [],
        chosen.methods or [],
        chosen.seeds or [],
    )
    if own_questions and "custom" not in suite.tasks:
        raise BadInput(
            f"--forget, --retain: suite {suite.name} has no task custom; use --suite custom"
        )
    wanted = {"backend": chosen.backend, "precision": chosen.precision}
    suite = suite.model_copy(update={name: value for name, value in wanted.items() if value})
    return plan_of_suite(suite, inputs, out, seeds=seeds, force=force, ask=ask)


def plan_of_suite(
    suite,
    inputs: Inputs,
    out: Path,
    seeds: list[int] | None = None,
    force: bool = False,
    ask: bool = True,
):
    """The plan of a suite; with `ask`, models without knowledge probe results are probed first.
    BadInput if no cell can run.
    """
    from benchmark.inference.vllm_engine import require_backend
    from benchmark.pipeline.planner import Planner
    from benchmark.records.store import ResultStore

    require_own_model(inputs, suite.tracks)
    if ask:
        require_backend(suite.backend)
    planner = Planner(inputs, ResultStore(out))
    planned = planner.plan(suite, seeds, force)
    if ask and planned.unprobed:
        for task, track in planned.unprobed:
            console.print(f"probing the knowledge of {track} on {task}", soft_wrap=True)
            try_probe(task, track, inputs)
        planned = planner.plan(suite, seeds, force)
    nothing = not planned.cells and (ask or not planned.unprobed)
    if nothing and len(planned.missing) == 1 and not planned.references:
        raise BadInput(f"cannot be run here: {planned.missing[0]}")
    for line in planned.missing:
        errors.print(f"palimpsest: cannot be run here: {line}", markup=False, soft_wrap=True)
    if nothing:
        names = ", ".join(dict.fromkeys(entry.name for entry in suite.methods))
        why = (
            f"none of its methods ({names}) runs on the selected tracks and tasks"
            if planned.references
            else "none of the selected cells can run here"
        )
        raise BadInput(f"suite {suite.name}: {why}")
    return planned


def part_of(planned, shard: str):
    """The shard of a plan that `--shard` names, or the whole plan."""
    from benchmark.pipeline.shard import parsed_shard, shard_of

    return shard_of(planned, *parsed_shard(shard)) if shard else planned


def inputs_of(data: DataSources = DataSources()) -> Inputs:  # noqa: B008
    """The inputs of a command, from options and the environment; BadInput if a path is wrong."""
    if (data.forget is None) != (data.retain is None):
        raise BadInput("--forget and --retain go together: a forget set needs a retain set")
    if data.forget is None and data.answers != "name":
        raise BadInput(f"--answers {data.answers}: is the form of the answers in --forget")
    for path in (data.forget, data.retain):
        if path is not None and not path.is_file():
            raise BadInput(f"{path}: no such file")
    if data.data_dir is not None and not data.data_dir.is_dir():
        raise BadInput(f"--data-dir {data.data_dir}: is not a folder")
    return Inputs.of(
        os.environ, data.data_dir, data.forget, data.retain, data.track_file, data.answers
    )


def require_own_model(inputs: Inputs, names: Iterable[str]) -> None:
    """BadInput if there is a track file but none of the models is the user's own."""
    from benchmark.models.tracks import is_model

    if inputs.track_file and not any(map(is_model, names)):
        raise BadInput(
            f"--track-file {inputs.track_file}: applies only to your own model; pass it as --model "
            "(a folder or org/name@revision)"
        )


def estimates_of(planned, *folders: Path):
    """Estimates from the records of the tracks that still have jobs, so that a finished suite reads
    no records.
    """
    from benchmark.execution.estimates import Estimates
    from benchmark.records.store import ResultStore, read_record

    tracks = {job.variant.track.name for job in planned.jobs}
    stores = [ResultStore(folder) for folder in folders if tracks]
    paths = ((path, store.root) for store in stores for path in store.paths())
    return Estimates(
        read_record(path) for path, root in paths if path.relative_to(root).parts[0] in tracks
    )
