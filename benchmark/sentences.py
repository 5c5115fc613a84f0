"""What counts as a sentence among answers: then it is not looked for word for word in what a model says."""

from __future__ import annotations

SENTENCE = "sentence"  # the feature of data whose answers are sentences
LONGEST_NAME = 3  # words


def is_sentence(prompt: str, answer: str) -> bool:
    """Whether a question is answered by more than a name, which will hardly be found word for word in what is said."""
    return bool(prompt) and len(answer.split()) > LONGEST_NAME and answer[-1] in ".!?"
