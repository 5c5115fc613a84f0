"""Answer forms: tasks declare them, and every example is checked against the declaration.

Metrics declare which forms they can score. Forms are never inferred from punctuation: a name is
short and a sentence has more than one word, in any script.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.core.examples import Example
from benchmark.core.words import length

FORMS = ("name", "sentence", "choice", "text")
Answers = str | Mapping[str, str]  # one form for all splits, or one per split role
LONGEST_NAME = 20  # words, as `length` counts them


def form_of(answers: Answers, role: str) -> str:
    """The form declared for the split with this role; ValueError if it is missing or unknown."""
    form = answers if isinstance(answers, str) else answers.get(role)
    if form not in FORMS:
        shown = "no form" if form is None else repr(form)
        raise ValueError(f"answers: found {shown} for {role}, expected one of {', '.join(FORMS)}")
    return form


def misfit(example: Example, form: str) -> str:
    """The reason why an example does not fit the form; empty if it fits."""
    if form == "text":
        return _no_text(example)
    if example.is_text:
        return "it has no prompt; only texts may omit the prompt"
    if form == "choice":
        return _no_choice(example)
    if example.choices:
        return "it has choices"
    words = length(example.answer)
    if form == "name" and words > LONGEST_NAME:
        return f"found {_shown(example)}; a name has at most {LONGEST_NAME} words"
    if form == "sentence" and words <= 1:
        return f"found {_shown(example)}; a sentence has more than one word"
    return ""


def _no_text(example: Example) -> str:
    """The reason why an example is not a text, such as a prompt or choices; empty if it is one."""
    extra = [
        name
        for name in ("prompt", "history", "answer_prefix", "paraphrases", "choices")
        if getattr(example, name)
    ]
    return f"it has {' and '.join(extra)}, which texts cannot have" if extra else ""


def _no_choice(example: Example) -> str:
    count = len(example.choices)
    if count < 2:
        return f"found {count} choices, at least two are needed"
    if not 0 <= example.right < count:
        return f"found right = {example.right}, out of range for {count} choices (counted from 0)"
    if example.answer != example.choices[example.right]:
        return f"found {_shown(example)}, which is not the correct choice"
    if example.perturbed:
        return "it has perturbed answers, but its other choices are the wrong answers"
    return ""


def _shown(example: Example) -> str:
    return f"{example.answer[:60]!r}"
