"""The method keeps to the benchmark's contract; `palimpsest check` says how where it does not."""

import subprocess
import sys


def test_the_method_keeps_to_the_contract():
    command = [sys.executable, "-m", "benchmark.cli", "check", "template_method"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
