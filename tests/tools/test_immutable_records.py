"""The check of pull requests, on a temporary repository."""

import pytest
from git_repository import call, commit, git, write

from benchmark.tools.immutable_records import changed_files


@pytest.fixture
def repository(tmp_path):
    """One record on the branch main, and a branch that starts there."""
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, "results/track/old.json", "{}")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "submission")
    return tmp_path


def check(folder, *words):
    return call(folder, "immutable_records", *words)


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
