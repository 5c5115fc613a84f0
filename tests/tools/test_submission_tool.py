"""Tools for a pull request's additions: the records to replay, and the comment posted."""

import shutil

import pytest
from forging import path_of
from git_repository import call, commit, git, write

from benchmark.records.derived import Derived
from benchmark.records.marks import sign
from benchmark.records.store import ResultStore, read_record
from benchmark.tools.submission import added_records, comment, sample


@pytest.fixture
def repository(results, tmp_path):
    """Target, oracles and beta on the branch main; alpha is added on the branch submission."""
    folder = tmp_path / "repository"
    shutil.copytree(results.root, folder / "results")
    own = folder / "results/toy/towns/low/alpha"
    own.rename(tmp_path / "alpha")
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    git(folder, "checkout", "-q", "-b", "submission")
    shutil.copytree(tmp_path / "alpha", own)
    write(folder, "methods/alpha.py", "")
    write(folder, "submissions/alpha/card.yaml", "")
    commit(folder)
    return folder


@pytest.fixture
def ids(results):
    return {read_record(p).id for p in results.paths() if p.parent.name == "alpha"}


def test_added_records_are_those_of_methods_that_main_lacks(repository, ids):
    assert {record.id for record in added_records("main", repository)} == ids
    git(repository, "checkout", "-q", "main")
    assert added_records("submission", repository) == []


def test_a_sample_is_of_added_records(repository, ids):
    done = call(repository, "submission", "sample", "main")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == ids
    records = added_records("main", repository)
    assert len(sample(records * 4)) == 3
    assert sample([]) == []
    assert sample([records[0].model_copy(update={"status": "error"})]) == []


def test_the_comment_shows_the_added_row_beside_its_neighbours(repository, ids):
    done = call(repository, "submission", "comment", "main")
    assert done.returncode == 0, done.stderr
    assert "### `alpha` on `toy`" in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[1] for row in rows[1:]] == ["**`alpha`**", "`beta`"]
    assert rows[1].count("**") > rows[2].count("**") == 0
    assert all(f"`{record_id}`" in done.stdout for record_id in ids)
    assert "benchmark itself" not in done.stdout


def test_the_comment_names_what_no_submission_needs_to_change(repository):
    write(repository, "benchmark/metrics/cheat.py", "")
    commit(repository)
    said = comment("main", repository, Derived())
    assert (
        "changes the benchmark itself; review these separately:\n- `benchmark/metrics/cheat.py`"
        in said
    )
    assert "methods/alpha.py" not in said


def test_the_comment_says_who_claims_to_have_checked_what(repository, ids):
    store = ResultStore(repository / "results")
    sign(store, "rerun", "Mallory", [read_record(path_of(store, "alpha"))])
    commit(repository)
    assert "- rerun by `Mallory`: 1 records" in comment("main", repository, Derived())


def test_a_pull_request_without_records_says_so(repository):
    git(repository, "checkout", "-q", "main")
    git(repository, "checkout", "-q", "-b", "other")
    write(repository, "README.md", "x")
    commit(repository)
    said = comment("main", repository, Derived())
    assert "It adds no scored record of a method." in said
    assert "- `README.md`" in said


@pytest.mark.parametrize("words", [(), ("sample",), ("rank", "main"), ("sample", "nowhere")])
def test_bad_input_is_one_line_and_exit_code_2(repository, words):
    done = call(repository, "submission", *words)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
