"""Tests that the method satisfies the benchmark's contract."""

import subprocess


def test_palimpsest_finds_no_rule_broken():
    """Takes half a minute, on a tiny model."""
    subprocess.run(["palimpsest", "check", "template_method"], check=True)
