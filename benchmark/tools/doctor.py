"""`palimpsest doctor`: reports what is installed, describes the machine, and says what will not run
and how to fix it.
"""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmark.core.inputs import Inputs
from benchmark.records.provenance import (
    PACKAGES,
    commit,
    cpu_name,
    engine_versions,
    package_version,
)
from benchmark.runtime.processors import cores

GIGABYTE = 1024**3
NEEDED_MEMORY, NEEDED_DISK = 8, 4  # GB for the suite `quick`


@dataclass(frozen=True)
class Finding:
    """One line of the report; `remedy` says how to get what is missing, empty if all is well."""

    what: str
    found: str
    remedy: str = ""


def examine_machine(inputs: Inputs) -> list[Finding]:
    """All findings of the report, in order."""
    return [
        _python(),
        _commit(),
        *_packages(),
        _engine(),
        *_hardware(),
        _disk(inputs.home),
        _gpu(),
        _model(inputs),
        _browser(),
    ]


def _python() -> Finding:
    remedy = (
        ""
        if sys.version_info >= (3, 11)
        else "install Python 3.11 or newer and run `make bench` again"
    )
    return Finding("python", platform.python_version(), remedy)


def _commit() -> Finding:
    revision, dirty = commit()
    remedy = (
        "run from a git clone, so that records can name their commit"
        if revision == "unknown"
        else ""
    )
    return Finding(
        "project", revision[:12] + (" with uncommitted changes" if dirty else ""), remedy
    )


def _packages() -> list[Finding]:
    versions = {name: package_version(name) for name in PACKAGES}
    return [
        Finding(name, version, "run `make venv`" if version == "not installed" else "")
        for name, version in versions.items()
    ]


def _hardware() -> list[Finding]:
    memory = psutil.virtual_memory().total / GIGABYTE
    remedy = "" if memory >= NEEDED_MEMORY else f"`quick` needs {NEEDED_MEMORY} GB; use --workers 1"
    count = cores()
    slow = "" if count >= 2 else "`quick` assumes two cores and will take twice its ten minutes"
    return [
        Finding("processor", f"{cpu_name()}, {count} cores", slow),
        Finding("memory", f"{memory:.1f} GB", remedy),
    ]


def _disk(home: Path) -> Finding:
    existing = next(p for p in [home.resolve(), *home.resolve().parents] if p.exists())
    free = shutil.disk_usage(existing).free / GIGABYTE
    remedy = (
        ""
        if free >= NEEDED_DISK
        else f"free {NEEDED_DISK} GB, or set PALIMPSEST_HOME to another disk"
    )
    return Finding("disk", f"{free:.1f} GB free for models in {home}", remedy)


def _gpu() -> Finding:
    import torch

    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    return Finding(
        "GPU", f"{name} (used by pretrained models and models of more than 4.5M parameters)"
    )


def _engine() -> Finding:
    engines = ", ".join(f"{name} {version}" for name, version in engine_versions().items())
    return Finding(
        "vLLM",
        engines or "not installed",
        "" if engines else "`make vllm`, for `--backend vllm` and its tests",
    )


def _model(inputs: Inputs) -> Finding:
    """The source from which SmolLM2 would be loaded."""
    from benchmark.errors import BadInput
    from benchmark.models.pretrained import models_named

    try:
        source = models_named("smollm2-135m", inputs).source
    except BadInput as error:
        return Finding("SmolLM2", "none", str(error))
    return Finding("SmolLM2", f"{source.kind}: {source.where}")


def _browser() -> Finding:
    path = next(
        (p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), ""
    )
    remedy = "" if path else "the browser tests will be skipped; install the package `chromium`"
    return Finding("browser", path or "none", remedy)
