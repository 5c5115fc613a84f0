"""Helpers that cut running texts and select rows and answers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from benchmark.core.examples import Example
from benchmark.core.words import pieces


def spread(rows: Sequence[Any], count: int) -> list[Any]:
    """`count` of the rows, evenly spaced; all of them if there are fewer."""
    count = min(count, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def chunks(text: str, words: int) -> list[str]:
    """The text in consecutive parts of about `words` words (`pieces`)."""
    word_pieces = pieces(text)
    parts = max(1, round(len(word_pieces) / words))
    ends = [*(words * i for i in range(parts)), len(word_pieces)]
    return ["".join(word_pieces[a:b]).rstrip() for a, b in pairwise(ends) if a < b]


def other_answers(answers: Iterable[str], answer: str, count: int, seed: str) -> tuple[str, ...]:
    """Up to `count` wrong answers, drawn at random from the other answers."""
    others = sorted(set(answers) - {answer})
    return tuple(random.Random(f"wrong-{seed}").sample(others, min(count, len(others))))


def text_examples(name: str, texts: Iterable[str]) -> list[Example]:
    """Running texts as numbered examples."""
    return [Example(f"{name}.{n:05d}", f"{name}.{n:05d}", "", text) for n, text in enumerate(texts)]
