"""The template of a method package, installed unchanged without a network, and used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmark.core.registry import methods

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "docs/template-method"
NAME = "template_method"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Environment of commands that see the package, which is installed into a separate folder."""
    place = tmp_path_factory.mktemp("package")
    shutil.copytree(TEMPLATE, place / "source")
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    pip = [sys.executable, "-m", "pip", *words, "--target", str(place / "target")]
    subprocess.run([*pip, str(place / "source")], check=True, capture_output=True)
    paths = os.pathsep.join([str(place / "target"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "PALIMPSEST_HOME": str(place / "home")}


def palimpsest(installed, *words):
    command = [sys.executable, "-m", "benchmark.cli", *words]
    return subprocess.run(command, env=installed, capture_output=True, text=True)


def test_palimpsest_lists_the_method_of_an_installed_package(installed):
    listed = palimpsest(installed, "list").stdout
    (line,) = [line for line in listed.splitlines() if line.startswith(NAME)]
    assert "uses forget, retain" in line
    assert NAME not in methods(), "only where it is installed"


@pytest.mark.slow
def test_palimpsest_checks_and_runs_it(installed):
    done = palimpsest(installed, "check", NAME)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ok +runs: \d+ of \d+ steps", done.stdout, flags=re.M)


def test_the_template_is_short_and_its_files_name_the_same_method():
    text = (TEMPLATE / f"{NAME}.py").read_text()
    assert len(text.splitlines()) <= 20
    assert f'register_method("{NAME}"' in re.sub(r"\(\s+", "(", text)
    for file in ("pyproject.toml", "README.md", f"tests/test_{NAME}.py"):
        assert NAME in (TEMPLATE / file).read_text()


def test_the_workflow_of_the_template_tests_what_it_has_installed():
    (job,) = yaml.safe_load((TEMPLATE / ".github/workflows/test.yaml").read_text())["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[-1] == "pytest method/tests"
    assert [c for c in commands if c.startswith("pip install --no-deps ./method")]
