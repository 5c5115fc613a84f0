"""Shards of a plan, for machines that share folders but are otherwise not coordinated."""

from __future__ import annotations

from dataclasses import replace

from benchmark.errors import BadInput
from benchmark.pipeline.plan import Job, Plan


def parsed_shard(text: str) -> tuple[int, int]:
    """(i, n) of `i/n`; BadInput unless 1 <= i <= n."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise BadInput(f"--shard {text}: should be i/n with 1 <= i <= n, e.g. 1/4")
    return int(number), int(of)


def shard_of(plan: Plan, number: int, of: int) -> Plan:
    """Shard `number` of `of`: the cells whose ids fall into it, with the references and models that
    they need. Ids are the same wherever the plan is made. Shards that need the same model wait for
    the first one to build it.
    """
    cells = tuple(cell for cell in plan.cells if int(cell.id, 16) % of == number - 1)
    own = {cell.id for cell in cells}
    compared = {i for cell in cells for i in (cell.target_id, *cell.oracle_ids)}
    # Oracles are compared with the first target, even if no cell of this shard starts from it.
    compared |= {cell.target_id for cell in plan.references if cell.id in compared}
    references = tuple(cell for cell in plan.references if cell.id in compared)
    jobs = {job.id: job for job in plan.jobs}
    wanted = [job for job in plan.jobs if job.kind == "cell" and job.cells[0].id in own]
    needed = _with_needs(wanted, jobs)
    ids = own | {cell.id for cell in references}
    return replace(
        plan,
        cells=cells,
        references=references,
        cached=plan.cached & ids,
        jobs=tuple(job for job in plan.jobs if job.id in needed),
    )


def _with_needs(wanted: list[Job], jobs: dict[str, Job]) -> set[str]:
    """The ids of these jobs and of all jobs that they need, directly or indirectly."""
    found: set[str] = set()
    left = [job.id for job in wanted]
    while left:
        job_id = left.pop()
        if job_id in jobs and job_id not in found:
            found.add(job_id)
            left += jobs[job_id].needs
    return found
