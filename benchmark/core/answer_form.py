"""What counts as a sentence among answers, and what as a name; some metrics are for one of them
alone.
"""

from __future__ import annotations

import regex

from benchmark.core.words import pieces

SENTENCE = "sentence"  # the feature of data whose answers are sentences
EXTRACTABLE = (
    "extractable"  # the feature of data whose answers do not follow from their own beginnings
)
LONGEST_NAME = 3  # words, or characters where a script has no spaces
_END = regex.compile(r"\p{Sentence_Terminal}\p{Cf}*\Z")  # marks of direction may follow


def is_sentence(prompt: str, answer: str) -> bool:
    """Whether a question is answered by more than a name, which will hardly be found word for word
    in what is said.

    A sentence ends as Unicode's property Sentence_Terminal has it. Thai, which writes no full stop,
    has none here.
    """
    return bool(prompt) and _ends(answer) and len(pieces(answer)) > LONGEST_NAME


def is_extractable(prompt: str, answer: str) -> bool:
    """False for a name with a full stop: its end follows from its beginning, whoever was asked
    about.
    """
    return not prompt or is_sentence(prompt, answer) or not _ends(answer)


def _ends(answer: str) -> bool:
    return bool(_END.search(answer))
