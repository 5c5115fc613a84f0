"""Workflows use only what exists: modules, commands with their options, targets and files."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from benchmark.cli import app

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yaml"))
SHELL = {"echo", "cat", "test", "gh", "grep"}  # besides what this project provides
COMMANDS = typer.main.get_command(app).commands


def jobs_of(path):
    return yaml.safe_load(path.read_text())["jobs"].values()


def commands_of(path):
    """Commands of all steps, including those in `$(...)` and after `||`."""
    steps = [step["run"] for job in jobs_of(path) for step in job["steps"] if "run" in step]
    lines = [line.strip() for text in steps for line in text.strip().splitlines()]
    parts = [part.strip() for line in lines for part in line.split("||")]
    inner = [found for part in parts for found in re.findall(r"\$\(([^()]*)\)", part)]
    return inner + [part for part in parts if not re.match(r"\w+=\$\(", part)]


def exists(command):
    words = command.split()
    if words[:2] == ["python", "-m"]:
        return (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
    if words[0] == "palimpsest":
        known = {name for option in COMMANDS[words[1]].params for name in option.opts}
        return {word for word in words if word.startswith("--")} <= known
    if words[0] == "make":
        return re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), flags=re.M)
    return words[0] in SHELL or (ROOT / words[0]).is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_command_of_a_workflow_exists(path):
    commands = commands_of(path)
    assert commands
    for command in commands:
        assert exists(command), command


def test_the_check_of_commands_finds_what_is_not_there():
    for command in ("python -m benchmark.tools.none x", "make nothing", "rm -r x", ".ci/none"):
        assert not exists(command)
    assert not exists("palimpsest validate results --sing me")


def test_submissions_are_checked_from_end_to_end():
    text = "\n".join(commands_of(ROOT / ".github/workflows/submission.yaml"))
    for command in (
        'python -m benchmark.tools.immutable_records "$BASE"',
        "palimpsest validate results",
        'python -m benchmark.tools.submission sample "$BASE"',
        "palimpsest replay $ids",
        'python -m benchmark.tools.submission comment "$BASE"',
    ):
        assert command in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_may_write_runs_nothing_of_a_pull_request(path):
    workflow = yaml.safe_load(path.read_text())
    may_write = "write" in workflow["permissions"].values()
    uses = [step.get("uses", "") for job in jobs_of(path) for step in job["steps"]]
    assert not (may_write and any(used.startswith("actions/checkout") for used in uses))
    assert "pull_request_target" not in path.read_text()
