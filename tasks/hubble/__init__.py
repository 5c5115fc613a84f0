"""Texts that one model of a minimal pair read 1 to 256 times, and the other never."""
