"""The knowledge probe with a progress bar, for the command `probe` and as first step of `run`."""

from __future__ import annotations

from pathlib import Path

from benchmark.cli.terminal import errors
from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput


def try_probe(task: str, track: str, inputs: Inputs) -> None:
    """Probes one model; a failure prints one line and does not stop the other models."""
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
        bar = progress.add_task("probing", total=None)

        def hear(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            if not errors.is_terminal:
                errors.print(f"{done} of {total} facts probed", markup=False)

        return probe_knowledge(task, track, inputs, hear)
