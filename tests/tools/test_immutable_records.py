"""The check of pull requests, on a repository of its own, and the workflow that calls it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmark.tools.immutable_records import changed_files

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
    command = [sys.executable, "-m", "benchmark.tools.immutable_records", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_new_records_and_other_files_may_be_added(repository):
    write(repository, "results/track/new.json", "{}")
    write(repository, "methods/mine.py", "")
    commit(repository)
    assert check(repository, "main").returncode == 0


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
    done = check(repository, "main")
    assert done.returncode == 1
    assert done.stderr.startswith("results/track/old.json: published records are immutable")


def test_what_others_added_since_is_no_change_of_this_branch(repository):
    write(repository, "results/track/mine.json", "{}")
    commit(repository)
    git(repository, "checkout", "-q", "main")
    write(repository, "results/track/theirs.json", "{}")
    commit(repository)
    git(repository, "checkout", "-q", "submission")
    assert changed_files("main", repository) == []


def test_bad_input_is_one_line_and_exit_code_2(repository):
    for words in ((), ("nowhere",)):
        done = check(repository, *words)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1


def test_workflows_run_only_what_is_there():
    for path in (ROOT / ".github/workflows").glob("*.yaml"):
        jobs = yaml.safe_load(path.read_text())["jobs"]
        commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
        assert commands
        for command in commands:
            module = re.match(r"python -m (\S+)", command)
            file = f"{module[1].replace('.', '/')}.py" if module else command.split()[0]
            assert (ROOT / file).is_file(), command
