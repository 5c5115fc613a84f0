"""The exception whose message is meant for users."""


class BadInput(Exception):
    """Invalid user input: a one-line message with what was found and what is expected (exit code
    2).
    """
