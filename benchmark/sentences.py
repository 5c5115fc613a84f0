"""What counts as a sentence among answers, and what as a name; some metrics are for one of them alone."""

from __future__ import annotations

SENTENCE = "sentence"  # the feature of data whose answers are sentences
EXTRACTABLE = "extractable"  # the feature of data whose answers do not follow from their own beginnings
LONGEST_NAME = 3  # words
ENDS = (".", "!", "?")


def is_sentence(prompt: str, answer: str) -> bool:
    """Whether a question is answered by more than a name, which will hardly be found word for word in what is said."""
    return bool(prompt) and len(answer.split()) > LONGEST_NAME and answer.endswith(ENDS)


def is_extractable(prompt: str, answer: str) -> bool:
    """False for a name with a full stop: its end follows from its beginning, whoever was asked about."""
    return not prompt or is_sentence(prompt, answer) or not answer.endswith(ENDS)
