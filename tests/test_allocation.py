"""Memory that was freed is used again instead of being asked for anew."""

import platform
import subprocess
import sys

import pytest

# Prints how many pages the system had to hand out while blocks of 48 MiB were filled and freed ten times.
PROGRAM = """
import resource, sys
import torch
from benchmark.allocation import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(20):  # the remainders of the first alignments lie between blocks until the small bins are full
    torch.ones(12 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(12 << 20)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() >> 20)
"""


def handed_out(how: str) -> int:
    """MiB of fresh pages in a process of its own, because the setting cannot be taken back."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told to keep memory")
def test_freed_memory_is_used_again():
    assert handed_out("let go") > 400, "what is to be mended: the system hands out 480 MiB"
    assert handed_out("keep") < 48
