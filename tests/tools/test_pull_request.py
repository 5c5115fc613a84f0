"""The check of pull requests, on a repository of its own, and the workflow that calls it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmark.cli import app
from benchmark.tools.pull_request import CHANGED, added, cells, files

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path):
    """One record on the branch main, and a branch that starts there."""
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, "results/track/old.json", "{}")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "submission")
    return tmp_path


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


def check(folder, *words):
    command = [sys.executable, "-m", "benchmark.tools.pull_request", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_new_records_and_other_files_may_be_added(repository):
    write(repository, "results/track/new.json", "{}")
    write(repository, "methods/mine.py", "")
    commit(repository)
    assert check(repository, "changed", "main").returncode == 0


@pytest.mark.parametrize("change", ["edit", "remove", "move"])
def test_published_records_may_not_be_changed(repository, change):
    old = repository / "results/track/old.json"
    if change == "edit":
        old.write_text('{"score": 1}')
    elif change == "remove":
        old.unlink()
    else:
        old.rename(old.with_name("older.json"))
    commit(repository)
    done = check(repository, "changed", "main")
    assert done.returncode == 1
    assert done.stderr.startswith("results/track/old.json: published records are immutable")


def test_what_others_added_since_is_no_change_of_this_branch(repository):
    write(repository, "results/track/mine.json", "{}")
    commit(repository)
    git(repository, "checkout", "-q", "main")
    write(repository, "results/track/theirs.json", "{}")
    commit(repository)
    git(repository, "checkout", "-q", "submission")
    assert files("main", CHANGED, repository) == []


def test_bad_input_is_one_line_and_exit_code_2(repository):
    for words in ((), ("changed",), ("changed", "nowhere"), ("cells", "main", "two")):
        done = check(repository, *words)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture
def submission(results, tmp_path):
    """A branch on which the two runs of `beta` are added to the records that main has."""
    new = [record for record in results.read_all() if record.method.name == "beta"]
    paths = [path for r in new for path in results.path_of(r).parent.glob(f"{r.id}*")]
    moved = {path: path.read_bytes() for path in paths}
    for path in moved:
        path.unlink()
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "submission")
    for path, content in moved.items():
        path.write_bytes(content)
    commit(tmp_path)
    return tmp_path, new


def test_added_records_are_found_with_their_rows(submission):
    folder, new = submission
    assert {name: {r.id for r in rows} for name, rows in added("main", folder).items()} == {
        "beta": {r.id for r in new}
    }
    assert check(folder, "rows", "main").stdout == "beta\n"
    assert check(folder, "rows", "submission").stdout.strip() == ""


def test_the_cheapest_cells_are_made_again(submission):
    folder, new = submission
    seconds = {r.id: sum(r.provenance.cost.seconds.values()) for r in new}
    (chosen,) = cells("main", 1, folder)
    assert seconds[chosen] == min(seconds.values())
    assert set(check(folder, "cells", "main", "9").stdout.split()) == set(seconds)


def commands():
    """The lines that the workflows run, without what stands before and behind a command."""
    for path in sorted((ROOT / ".github/workflows").glob("*.yaml")):
        jobs = yaml.safe_load(path.read_text())["jobs"]
        runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
        assert runs
        yield from (re.sub(r"^xargs (-r )?", "", line) for run in runs for line in run.splitlines())


def test_workflows_run_only_what_is_there():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    palimpsest = {command.name or command.callback.__name__ for command in app.registered_commands}
    for line in commands():
        program, *words = line.split()
        if program.endswith("python"):
            assert words[0] == "-m"
            assert (ROOT / f"{words[1].replace('.', '/')}.py").is_file(), line
        elif program == ".venv/bin/palimpsest":
            assert words[0] in palimpsest, line
        elif program == "make":
            assert set(words) <= targets, line
        else:
            assert program in (".ci/run", "mkdir", "echo", "cat", "grep", "gh"), line
