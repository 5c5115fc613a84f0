"""Other answers to questions, where no model can be asked for them."""

import random

from benchmark.api import BadInput, as_question

COMPARED = 2000  # pairs whose answers are looked at


def holds(text, truth):
    """Whether a text says the truth, or nothing."""
    return not text.strip() or truth.strip().casefold() in text.casefold()


def other_answers_of(pairs, known, count, seed):
    """For each of the pairs up to `count` answers of other pairs, of `known` ones too, to the
    questions that share most words with its own: they are of the same kind.

    BadInput where all there are say the same.
    """
    rng = random.Random(f"alternatives-{seed}")
    pool = [as_question(pair) for pair in [*pairs, *known]]
    pool = rng.sample(pool, min(COMPARED, len(pool)))
    worded = [(_words(pair.prompt), pair.answer) for pair in pool]
    return {pair: _nearest(as_question(pair), worded, count) for pair in pairs}


def _nearest(pair, worded, count):
    own, found = _words(pair.prompt), dict[str, None]()
    for _, answer in sorted(worded, key=lambda other: -_overlap(own, other[0])):
        if len(found) < count and not holds(answer, pair.answer):
            found[answer] = None
    if not found:
        raise BadInput(f"no pair has another answer than {pair.answer!r}")
    return list(found)


def _overlap(one, other):
    """Jaccard similarity."""
    return len(one & other) / max(1, len(one | other))


def _words(text):
    return frozenset(text.casefold().split())
