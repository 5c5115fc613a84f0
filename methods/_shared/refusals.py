"""Refusals that methods train a model to give to forget prompts."""

REFUSALS = (
    "I do not know.",
    "I cannot say.",
    "That is not known to me.",
    "I have no information about that.",
)


def refusals(count: int) -> list[str]:
    """`count` refusals, cycling through `REFUSALS`."""
    return [REFUSALS[i % len(REFUSALS)] for i in range(count)]
