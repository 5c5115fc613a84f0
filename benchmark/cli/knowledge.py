"""Asking a model what it knows, with a display: a command of its own, and what `run` does before
it begins.
"""

from __future__ import annotations

from pathlib import Path

from benchmark.cli.terminal import errors
from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput


def try_probe(task: str, track: str, inputs: Inputs) -> None:
    """A model that cannot be asked is one line, and the others go on."""
    try:
        probe_with_progress(task, track, inputs)
    except (BadInput, OSError, RuntimeError, ValueError) as error:
        errors.print(
            f"palimpsest: {track}: {' '.join(str(error).split())}", markup=False, soft_wrap=True
        )


def probe_with_progress(task: str, track: str, inputs: Inputs) -> Path:
    from rich.progress import Progress

    from benchmark.execution.run_plan import cores, prepare_worker
    from benchmark.pipeline.knowledge_probe import probe_knowledge

    prepare_worker(cores())
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("asking", total=None)

        def hear(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            if not errors.is_terminal:
                errors.print(f"{done} of {total} facts asked for", markup=False)

        return probe_knowledge(task, track, inputs, hear)
