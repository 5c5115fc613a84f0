"""Wrong answers taken from other pairs."""

import random

from benchmark.api import BadInput, as_question

COMPARED = 2000  # maximum number of pairs considered


def holds(text, truth):
    """Whether a text contains the true answer (ignoring case) or is empty."""
    return not text.strip() or truth.strip().casefold() in text.casefold()


def other_answers_of(pairs, known, count, seed):
    """For each pair, up to `count` distinct answers of other pairs (`known` included) whose
    questions share the most words with its question, which makes answers of the same kind likely.

    BadInput if no pair has a different answer.
    """
    rng = random.Random(f"alternatives-{seed}")
    pool = [as_question(pair) for pair in [*pairs, *known]]
    pool = rng.sample(pool, min(COMPARED, len(pool)))
    worded = [(_words(pair.prompt), pair.answer) for pair in pool]
    return {pair: _nearest(as_question(pair), worded, count) for pair in pairs}


def _nearest(pair, worded, count):
    words, nearest = _words(pair.prompt), dict[str, None]()
    for _, answer in sorted(worded, key=lambda other: -_overlap(words, other[0])):
        if len(nearest) < count and not holds(answer, pair.answer):
            nearest[answer] = None
    if not nearest:
        raise BadInput(f"no pair has an answer other than {pair.answer!r}")
    return list(nearest)


def _overlap(one, other):
    """Jaccard similarity."""
    return len(one & other) / max(1, len(one | other))


def _words(text):
    return frozenset(text.casefold().split())
