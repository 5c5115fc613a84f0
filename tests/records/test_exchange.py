"""`push` and `pull` against a local hub."""

import json

import pytest


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def pushed(palimpsest, results, hub, request):
    """(name, commit) of a data set that holds the records."""
    name = f"ada/{request.node.name.replace('_', '-')[:60]}"
    ran = palimpsest("push", name, "--results", results.root)
    assert ran.returncode == 0, ran.stderr
    commit = hub.repos["dataset", name]["main is"]
    assert f"palimpsest pull {name}@{commit}" in ran.stdout
    return name, commit


def refused(ran):
    """The error message of a refused command, which follows the progress of its downloads."""
    assert ran.returncode == 2, ran.stderr
    *_, line = ran.stderr.strip().splitlines()
    assert "Traceback" not in ran.stderr
    return line


def test_what_is_pushed_is_pulled_byte_by_byte_though_a_download_breaks_off(
    palimpsest, results, pushed, tmp_path, hub
):
    name, commit = pushed
    whole = files_of(results.root)
    largest = max(whole, key=lambda path: len(whole[path]))
    hub.broken.add(largest)
    got = palimpsest("pull", f"{name}@{commit}", "--results", tmp_path / "pulled")
    assert got.returncode == 0, got.stderr
    count = len(results.paths())
    assert f"{count} records of {name}@{commit}, {count} of them new" in got.stdout
    assert files_of(tmp_path / "pulled") == whole
    assert hub.served[largest, 200] == 2


def test_a_pull_adds_what_is_new_at_the_newest_revision(palimpsest, results, pushed):
    name, _ = pushed
    whole, (first, *_) = files_of(results.root), results.paths()
    first.unlink()
    got = palimpsest("pull", name, "--results", results.root)
    assert ", 1 of them new" in got.stdout, got.stderr
    assert files_of(results.root) == whole


def test_a_pull_changes_no_record_that_is_there(palimpsest, results, pushed):
    name, _ = pushed
    first, *_, last = results.paths()
    first.unlink()
    last.write_text(last.read_text().replace("\n", " ", 1))
    before = files_of(results.root)
    line = refused(palimpsest("pull", name, "--results", results.root))
    assert str(last) in line
    assert "differs from what was pulled" in line
    assert files_of(results.root) == before


def test_records_that_are_not_valid_are_neither_pushed_nor_pulled(
    palimpsest, results, pushed, hub, tmp_path
):
    name, commit = pushed
    path = results.paths()[0]
    record = json.loads(path.read_text())
    record["provenance"]["commit"] = "0" * 40
    path.write_text(json.dumps(record))
    line = refused(palimpsest("push", name, "--results", results.root))
    assert "findings of `validate`" in line
    assert hub.repos["dataset", name]["main is"] == commit
    forged = hub.repos["dataset", name][commit] | {
        str(path.relative_to(results.root)): path.read_bytes()
    }
    hub.put("dataset", name, forged)
    assert "findings of `validate`" in refused(
        palimpsest("pull", name, "--results", tmp_path / "pulled")
    )
    assert not (tmp_path / "pulled").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pull", "ada/nothing"], "ada/nothing: the hub says RepositoryNotFoundError"),
        (["pull", "a/b/c"], "a/b/c: the hub says HFValidationError"),
        (["push", "ada/nothing"], "results: no records"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(palimpsest, words, said):
    assert said in refused(palimpsest(*words))


class Always(set):
    """A set of paths whose downloads always break off."""

    def remove(self, path):
        pass


def test_a_connection_that_is_lost_adds_nothing(palimpsest, pushed, hub, tmp_path):
    name, commit = pushed
    hub.broken = Always(hub.repos["dataset", name][commit])
    line = refused(palimpsest("pull", name, "--results", tmp_path / "pulled"))
    assert f"{name}: the hub says" in line
    assert not (tmp_path / "pulled").exists()


def test_without_a_hub_nothing_is_waited_for(palimpsest, hub_environment, results):
    hub_environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    line = refused(palimpsest("push", "ada/records", "--results", results.root))
    assert line == "palimpsest: ada/records: no hub can be reached"
