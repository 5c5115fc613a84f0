"""The exception for invalid user input."""


class BadInput(Exception):
    """Invalid user input; its one-line message says what was found and expected (exit code 2)."""
