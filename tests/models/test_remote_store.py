"""Artifacts shared by machines without a common folder."""

import sys

import fsspec
import pytest

from benchmark.errors import BadInput
from benchmark.models.artifacts import MADE, ArtifactStore, RemoteStore, made_of


@pytest.fixture(params=["memory", "file"])
def address(request, tmp_path):
    """Address of an empty store, once in memory and once as a folder."""
    place = f"memory://{tmp_path.name}" if request.param == "memory" else f"{tmp_path}/remote"
    files, root = fsspec.core.url_to_fs(place)
    yield place
    if files.exists(root):
        files.rm(root, recursive=True)


def build(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_text("0.5")
    return {"steps": 3}


def refuse(folder):
    raise AssertionError("is there already")


def test_what_one_machine_built_another_takes(address, tmp_path):
    one, other = (ArtifactStore(tmp_path / name, address) for name in ("one", "other"))
    one.get("models", "abc", build)
    assert other.has("models", "abc")
    found = other.get("models", "abc", refuse)
    assert (found / "inner" / "weights").read_text() == "0.5"
    assert made_of(found) == {"steps": 3}
    assert not ArtifactStore(tmp_path / "third").has("models", "abc")


def test_half_an_artifact_is_none(address, tmp_path):
    files, root = fsspec.core.url_to_fs(address)
    files.makedirs(f"{root}/models/abc", exist_ok=True)
    files.pipe_file(f"{root}/models/abc/weights", b"0.1")
    store = ArtifactStore(tmp_path / "home", address)
    assert not store.has("models", "abc")
    store.get("models", "abc", build)
    assert files.exists(f"{root}/models/abc/{MADE}")
    other = ArtifactStore(tmp_path / "other", address).get("models", "abc", refuse)
    assert (other / "inner" / "weights").read_text() == "0.5"


def test_what_is_removed_is_gone_everywhere_but_on_other_machines(address, tmp_path):
    one, other = (ArtifactStore(tmp_path / name, address) for name in ("one", "other"))
    for key in ("abc-001", "abc-002", "abd-001"):
        one.get("partial", key, build)
    assert other.keys("partial", "abc") == ["abc-001", "abc-002"]
    other.discard("partial", "abc-001")
    other.get("partial", "abc-002", refuse)
    one.remove("partial", "abc")
    assert one.keys("partial", "abc") == []
    assert other.keys("partial", "abc") == ["abc-002"]
    assert one.keys("partial", "abd") == ["abd-001"]


def test_a_build_that_fails_leaves_nothing(address, tmp_path):
    def fail(folder):
        (folder / "weights").write_text("0.1")
        raise ValueError("no")

    store = ArtifactStore(tmp_path / "home", address)
    with pytest.raises(ValueError, match="no"):
        store.get("models", "abc", fail)
    assert not store.has("models", "abc")
    assert made_of(store.get("models", "abc", build)) == {"steps": 3}


@pytest.mark.parametrize("address", ["s3://bucket/folder", "nothing://folder"])
def test_an_address_that_nothing_opens_is_one_line(address, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    with pytest.raises(BadInput, match=f"^PALIMPSEST_STORE={address}: .+") as raised:
        ArtifactStore(tmp_path, address)
    assert "\n" not in str(raised.value)


def test_what_another_machine_removes_while_it_is_fetched_is_built(tmp_path, monkeypatch):
    address = f"{tmp_path}/remote"
    ArtifactStore(tmp_path / "one", address).get("models", "abc", build)
    (tmp_path / "remote/models/abc" / MADE).unlink()  # removed first
    monkeypatch.setattr(RemoteStore, "has", lambda *_: True)  # as found a moment before
    found = ArtifactStore(tmp_path / "other", address).get("models", "abc", build)
    assert sorted(path.name for path in found.iterdir()) == ["inner", MADE]


def test_what_a_kill_left_half_removed_is_built_again(tmp_path):
    store = ArtifactStore(tmp_path)
    (store.get("models", "abc", build) / MADE).unlink()
    assert not store.has("models", "abc")
    assert made_of(store.get("models", "abc", build)) == {"steps": 3}


def test_nobody_finds_an_artifact_half_removed(tmp_path, monkeypatch):
    store = ArtifactStore(tmp_path)
    store.get("models", "abc", build)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # killed before anything is gone
    store.discard("models", "abc")
    assert not store.path("models", "abc").exists()


def test_what_a_killed_builder_left_goes_with_the_next_build(tmp_path):
    (tmp_path / "models/.abc-0123_xyz").mkdir(parents=True)
    (tmp_path / "models/.abc-def-0123_xyz").mkdir()  # of another artifact, perhaps under way
    ArtifactStore(tmp_path).get("models", "abc", build)
    names = {path.name for path in (tmp_path / "models").iterdir() if path.is_dir()}
    assert names == {"abc", ".abc-def-0123_xyz"}
