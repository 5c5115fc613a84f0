"""A git repository in which tests of pull requests write and commit."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "change")


def call(folder, module, *words):
    """Runs a module of the tools in the repository, as a workflow does."""
    environment = {
        **{"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        **{"PALIMPSEST_HOME": str(folder.parent / "home")},
    }
    command = [sys.executable, "-m", f"benchmark.tools.{module}", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
