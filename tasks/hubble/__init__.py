"""Texts that minimal pairs of language models have read 1 to 256 times, or never."""
