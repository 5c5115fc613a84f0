"""The one exception that a user is meant to read."""


class BadInput(Exception):
    """What the user gave cannot be used: one line that names what was found and what would be
    right (exit code 2).
    """
