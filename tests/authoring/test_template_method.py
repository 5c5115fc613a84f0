"""The template of a package with a method: installed without a network, it is found and runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed package, and a copy of the template beside it."""
    folder = tmp_path_factory.mktemp("template")
    source, target = folder / "source", folder / "target"
    shutil.copytree(ROOT / "docs/template-method", source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command = [*pip, "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return source, target


def environment(target):
    return os.environ | {"PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}


def test_the_installed_method_is_known_by_name(installed):
    _, target = installed
    command = [sys.executable, "-m", "benchmark.cli", "list"]
    done = subprocess.run(command, env=environment(target), capture_output=True, text=True)
    assert "template_method" in done.stdout, done.stderr
    without = subprocess.run(command, env=environment(ROOT), capture_output=True, text=True)
    assert "template_method" not in without.stdout


def test_its_own_test_passes(installed):
    source, target = installed
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        command, cwd=source, env=environment(target), capture_output=True, text=True
    )
    assert "1 passed" in done.stdout, done.stdout
