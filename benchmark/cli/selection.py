"""From what the command line names to a plan."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchmark.cli.knowledge import try_probe
from benchmark.cli.options import Answers
from benchmark.cli.terminal import console, errors
from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput


@dataclass(frozen=True)
class Selection:
    """What the command line names of a suite; questions of one's own have a suite of theirs."""

    suite: str | None = None
    tracks: list[str] | None = None
    models: list[str] | None = None
    tasks: list[str] | None = None
    methods: list[str] | None = None
    seeds: list[int] | None = None
    backend: str | None = None
    precision: str | None = None
    own_questions: bool = False

    @property
    def suite_name(self) -> str:
        return self.suite or ("custom" if self.own_questions else "quick")


def planned_of(chosen: Selection, inputs: Inputs, out: Path, force: bool, ask: bool = False):
    """The plan of what was chosen; with `ask`, models that nobody has asked yet what they know
    are asked first.
    """
    from benchmark.inference.vllm_engine import require_backend
    from benchmark.pipeline.planner import Planner
    from benchmark.pipeline.selection import restrict
    from benchmark.pipeline.suite import load_suite
    from benchmark.records.store import ResultStore

    tracks = [*(chosen.tracks or []), *(chosen.models or [])]
    suite, seeds = restrict(
        load_suite(chosen.suite_name),
        tracks,
        chosen.tasks or [],
        chosen.methods or [],
        chosen.seeds or [],
    )
    if chosen.own_questions and "custom" not in suite.tasks:
        raise BadInput(
            f"--forget, --retain: suite {suite.name} does not ask them; its tasks lack custom"
        )
    wanted = {"backend": chosen.backend, "precision": chosen.precision}
    suite = suite.model_copy(update={name: value for name, value in wanted.items() if value})
    if ask:
        require_backend(suite.backend)
    planner = Planner(inputs, ResultStore(out))
    planned = planner.plan(suite, seeds, force)
    if ask and planned.unprobed:
        for task, track in planned.unprobed:
            console.print(f"asks {track} what it knows of {task}", soft_wrap=True)
            try_probe(task, track, inputs)
        planned = planner.plan(suite, seeds, force)
    nothing = not planned.cells and (ask or not planned.unprobed)  # whoever could be asked has been
    if nothing and len(planned.missing) == 1 and not planned.references:
        raise BadInput(f"cannot be run here: {planned.missing[0]}")
    for line in planned.missing:
        errors.print(f"palimpsest: cannot be run here: {line}", markup=False, soft_wrap=True)
    if nothing:
        names = ", ".join(dict.fromkeys(entry.name for entry in suite.methods))
        why = (
            f"none of its methods ({names}) can run on"
            if planned.references
            else "nothing can be run here of"
        )
        raise BadInput(f"suite {suite.name}: {why} what is wanted")
    return planned


def inputs_of(
    data: Path | None = None,
    forget: Path | None = None,
    retain: Path | None = None,
    answers: Answers = "name",
) -> Inputs:
    """What a command reads; the environment is looked at here and nowhere further down."""
    if (forget is None) != (retain is None):
        raise BadInput(
            "--forget and --retain go together: what is to be forgotten, and what is to be kept"
        )
    for path in (forget, retain):
        if path is not None and not path.is_file():
            raise BadInput(f"{path}: no such file")
    if data is not None and not data.is_dir():
        raise BadInput(f"--data-dir {data}: is not a folder")
    return Inputs.of(os.environ, data, forget, retain, answers)


def estimates_of(*folders: Path):
    from benchmark.execution.estimates import Estimates
    from benchmark.records.store import ResultStore

    return Estimates(record for folder in folders for record in ResultStore(folder).read_all())
