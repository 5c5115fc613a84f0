"""`tofu/forget01|forget05|forget10`, `tofu_small` and `tofu_continual`: TOFU as published, at a
smaller size, and as sequential requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmark.api import (
    BadInput,
    Example,
    Inputs,
    PretrainedModel,
    Task,
    TaskData,
    register_task,
    spread,
)
from tasks.tofu.authors import (
    DATA_SET,
    REWORDED,
    Authors,
    Rows,
    asked_of_all,
    first_request,
    of_authors,
    rows,
)

SIZES = {"forget01": 2, "forget05": 10, "forget10": 20}  # authors
# Authors on whom no model is trained: the same in all variants, so that these share a target, and
# enough for membership inference attacks.
HELD_OUT, FEWEST_HELD_OUT = 10, 2
SMALL_RETAINED, SMALL_HELD_OUT = 16, 2  # authors, in addition to the two forgotten ones
SMALL_RETAIN, SMALL_OTHERS = (
    80,
    40,
)  # questions about retained authors; about real authors and about world facts, each
DEVELOPMENT_REQUESTS, DEVELOPMENT_AUTHORS = 5, 2  # requests, and authors per request
PERTURBED_RETAIN = "retain_perturbed"
ANSWERS = dict.fromkeys(("forget", "retain", "holdout"), "sentence") | {
    "neighbors": "name",
    "general": "name",
}
Requests = Sequence[Rows]


@register_task("tofu", version=1)
class Tofu(Task):
    """One, five or ten per cent of 200 fictitious authors are forgotten (Maini et al. 2024)."""

    sources = frozenset({"model"})
    answers = ANSWERS
    variants = tuple(SIZES)
    max_new_tokens = 96

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        authors, shown = Authors(source.inputs), rows(source.inputs, PERTURBED_RETAIN, **REWORDED)
        if source.development:
            known = authors.numbers(shown)
            forgotten = of_authors(shown, authors, known[-min(SIZES[variant], len(known) // 2) :])
        else:
            forgotten = first_request(rows(source.inputs, f"{variant}_perturbed", **REWORDED))
        taught, strangers = divided(authors, [shown, forgotten])
        return assembled(source.inputs, authors, [forgotten], shown, taught, strangers)


@register_task("tofu_small", version=1)
class TofuSmall(Task):
    """The two authors of forget01 among 18 taught ones, for machines without an accelerator."""

    sources = frozenset({"model"})
    answers = ANSWERS
    max_new_tokens = 64  # one answer in a hundred is longer and is truncated

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        authors, shown = Authors(source.inputs), rows(source.inputs, PERTURBED_RETAIN, **REWORDED)
        known = authors.numbers(shown)
        retained, more = (
            known[:SMALL_RETAINED],
            known[SMALL_RETAINED : SMALL_RETAINED + SIZES["forget01"]],
        )
        if source.development:
            forgotten = of_authors(shown, authors, more)
        else:
            forgotten = first_request(rows(source.inputs, "forget01_perturbed", **REWORDED))
        _, strangers = divided(authors, [shown, forgotten], SMALL_HELD_OUT)
        taught = [*retained, *authors.numbers(forgotten)]
        kept = spread(of_authors(shown, authors, retained), SMALL_RETAIN)
        return assembled(source.inputs, authors, [forgotten], kept, taught, strangers, SMALL_OTHERS)


@register_task("tofu_continual", version=1)
class TofuContinual(Task):
    """Ten sequential requests, each for one or five per cent of the authors (Yuan et al. 2024)."""

    sources = frozenset({"model"})
    answers = ANSWERS
    variants = ("forget01", "forget05")
    budget_share = 1 / 3  # of the track's steps per request, as in `continual`
    max_new_tokens = 96

    def data(self, variant: str, source: PretrainedModel) -> TaskData:
        authors, shown = Authors(source.inputs), rows(source.inputs, PERTURBED_RETAIN, **REWORDED)
        requests = (
            of_development(authors, shown)
            if source.development
            else numbered(source.inputs, variant)
        )
        taught, strangers = divided(authors, [shown, *requests])
        return assembled(source.inputs, authors, requests, shown, taught, strangers)


def of_development(authors: Authors, shown: Rows) -> Requests:
    """Requests for the last authors of `shown`, whom the scored requests do not forget."""
    known = authors.numbers(shown)
    last = known[-min(DEVELOPMENT_REQUESTS * DEVELOPMENT_AUTHORS, len(known) // 2) :]
    wanted = [
        last[start : start + DEVELOPMENT_AUTHORS]
        for start in range(0, len(last), DEVELOPMENT_AUTHORS)
    ]
    return [of_authors(shown, authors, some) for some in wanted]


def numbered(inputs: Inputs, variant: str) -> Requests:
    """The rows of each request; BadInput if the file does not distinguish requests, like the
    hub's.
    """
    config = f"{variant}_perturbed"
    entries = rows(inputs, config, **REWORDED)
    if any("task_id" not in row for row in entries):
        raise BadInput(
            f"tofu_continual: {config}.json: rows without task_id; the requests of Yuan et al. "
            "2024 exist only "
            f"in their arrangement of TOFU, whose folder is given by --data-dir"
        )
    numbers = sorted({str(row["task_id"]) for row in entries}, key=lambda name: (len(name), name))
    return [[row for row in entries if str(row["task_id"]) == name] for name in numbers]


def divided(
    authors: Authors, named: Iterable[Rows], count: int = HELD_OUT
) -> tuple[list[int], list[int]]:
    """(authors in the target's training data, held-out authors); the latter are the first `count`
    authors of `retain90` that none of the `named` rows is about. BadInput if they are too few.
    """
    taken = {number for entries in named for number in authors.numbers(entries)}
    held_out = [number for number in authors.retained if number not in taken][:count]
    if len(held_out) < min(count, FEWEST_HELD_OUT):
        raise BadInput(
            f"{DATA_SET}/retain90.json: found {len(held_out)} authors besides those of the "
            "requests and of "
            f"{PERTURBED_RETAIN}, at least {FEWEST_HELD_OUT} are needed"
        )
    return [number for number in range(len(authors.all)) if number not in held_out], held_out


def assembled(
    inputs: Inputs,
    authors: Authors,
    requests: Requests,
    shown: Rows,
    taught: Sequence[int],
    strangers: Sequence[int],
    others: int | None = None,
) -> TaskData:
    """The data of requests for these rows; `shown` are the rows of the retain split, and `others`
    limits the neighbors and general splits.
    """
    strata = [{"step": str(n)} for n in range(1, len(requests) + 1)] if len(requests) > 1 else [{}]
    forget = [
        [authors.example(row, **tags) for row in request]
        for request, tags in zip(requests, strata, strict=True)
    ]
    asked = [frozenset(example.id for example in request) for request in forget]
    gone = apart(asked)
    real, world = (
        asked_of_all(inputs, f"{name}_perturbed") for name in ("real_authors", "world_facts")
    )
    splits = {
        "forget": [example for request in forget for example in request],
        "retain": [e for e in map(authors.example, shown) if e.id not in gone],
        "neighbors": spread(real, others or len(real)),
        "general": spread(world, others or len(world)),
        "holdout": authors.examples(strangers),
    }
    pool: list[Example] = [
        example for example in authors.examples(taught) if example.id not in gone
    ]
    return TaskData.of(splits, authors.documents(taught), pool, asked, answers=ANSWERS)


def apart(asked: Sequence[frozenset[str]]) -> frozenset[str]:
    """The ids of all requested examples; BadInput if two requests share one."""
    first_asked: dict[str, int] = {}
    for number, request in enumerate(asked, 1):
        for name in sorted(request):
            if name in first_asked:
                raise BadInput(
                    f"{DATA_SET}: requests {first_asked[name]} and {number} both ask for {name}"
                )
            first_asked[name] = number
    return frozenset(first_asked)
