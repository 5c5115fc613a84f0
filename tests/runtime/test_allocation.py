"""Freed memory is reused instead of requested from the system again."""

import platform
import subprocess
import sys

import pytest

# Prints the number of page faults while twenty tensors grow row by row, like the caches of a
# generation.
PROGRAM = """
import resource, sys
import torch
from benchmark.runtime.memory import keep_freed_memory

def generate():
    caches = [torch.zeros(16, 4096) for _ in range(20)]
    for _ in range(100):
        caches = [torch.cat([cache, cache[:1]]) for cache in caches]

if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(5):  # until the heap has found its size
    generate()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
generate()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Page faults of a separate process, because the setting cannot be undone."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told to keep memory"
)
def test_freed_memory_is_used_again():
    assert faults("keep") < faults("let go") / 2
