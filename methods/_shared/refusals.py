"""What methods teach a model to say of what it is to forget."""

REFUSALS = (
    "I do not know.",
    "I cannot say.",
    "That is not known to me.",
    "I have no information about that.",
)


def refusals(count: int) -> list[str]:
    """So many refusals, in turn."""
    return [REFUSALS[i % len(REFUSALS)] for i in range(count)]
