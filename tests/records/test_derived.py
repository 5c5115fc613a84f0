"""Derived data cached on disk: the same as computed afresh, and never stale."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import METRICS
from benchmark.records.derived import Derived
from benchmark.records.frames import FRAMES_HELD, ExampleFrames, read_frame
from benchmark.records.store import read_record

TABLES = {
    "numbers": pd.DataFrame({"value": [0.1, np.nan, np.inf, -0.0], "n": [1, 2, 3, 4]}),
    "words": pd.DataFrame({"name": ["", "São", "a\nb"], "right": [True, False, True]}),
    "empty": pd.DataFrame({"value": np.zeros(0)}),
    "nothing": pd.DataFrame(columns=pd.Index([], dtype=object)),
}


class Counted:
    """Returns content and counts how often it is made."""

    def __init__(self, content=b"content"):
        self.made, self._content = 0, content

    def __call__(self):
        self.made += 1
        return self._content


@pytest.fixture
def derived(tmp_path):
    return Derived.below(tmp_path / "home")


@pytest.fixture
def make():
    return Counted()


def files_of(derived):
    return [path for path in derived.folder.rglob("*") if path.is_file()]


def test_content_is_made_once_for_each_kind_and_source(derived, make):
    for _ in range(2):
        assert derived.content("frames", ["a", 1], make) == b"content"
    assert make.made == 1
    derived.content("frames", ["a", 2], make)
    derived.content("answers", ["a", 1], make)
    assert make.made == 3
    assert derived.has("frames", ["a", 1])
    assert not derived.has("frames", ["b", 1])


def test_without_a_folder_nothing_is_kept(make):
    for _ in range(2):
        Derived().content("frames", "a", make)
    assert make.made == 2
    assert not Derived().has("frames", "a")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content[:10],
        lambda content: b"",
        lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
    ],
)
def test_a_file_that_was_cut_off_or_changed_is_made_anew(derived, make, spoil):
    derived.content("frames", "a", make)
    (path,) = files_of(derived)
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert derived.content("frames", "a", make) == b"content"
    assert make.made == 2
    assert path.read_bytes() == whole


def test_another_version_of_a_metric_makes_everything_anew(derived, make, monkeypatch):
    derived.content("frames", "a", make)
    metric = METRICS["exact_answer"]
    monkeypatch.setitem(METRICS, metric.id, replace(metric, version=metric.version + 1))
    derived.content("frames", "a", make)
    assert make.made == 2


def test_other_code_makes_everything_anew(derived, make, monkeypatch):
    derived.content("frames", "a", make)
    monkeypatch.setattr("benchmark.records.derived.of_rooms", lambda *rooms: "other")
    derived.content("frames", "a", make)
    assert make.made == 2


def test_a_home_that_cannot_be_written_to_is_no_error(tmp_path, make):
    (tmp_path / "home").write_text("a file where a folder should be")
    assert Derived.below(tmp_path / "home").content("frames", "a", make) == b"content"


def test_tables_come_back_as_they_were(derived):
    for _ in range(2):
        found = derived.tables("methods", "a", lambda: TABLES)
        assert list(found) == list(TABLES)
        for name, table in TABLES.items():
            pd.testing.assert_frame_equal(found[name].to_pandas(), table, check_exact=True)


def test_example_frames_are_read_from_disk_the_second_time(results, derived):
    records = [read_record(path) for path in results.paths()]
    fresh = {r.id: read_frame(results.path_of(r), r) for r in records}
    first = dict(ExampleFrames(results, records, derived))
    for record in records:
        results.path_of(record).with_suffix(".outputs.parquet").unlink()
    again = ExampleFrames(results, records, derived)
    assert set(again) == set(fresh)
    for record_id, frame in fresh.items():
        pd.testing.assert_frame_equal(first[record_id], frame, check_exact=True)
        pd.testing.assert_frame_equal(again[record_id], frame, check_exact=True)


def test_only_a_few_frames_are_held(results, derived):
    (record, *_) = [read_record(path) for path in results.paths()]
    many = [
        record.model_copy(
            update={"id": str(i), "outputs": record.outputs.model_copy(update={"sha256": str(i)})}
        )
        for i in range(FRAMES_HELD + 5)
    ]
    frames = ExampleFrames(results, many, derived)
    frame = read_frame(results.path_of(record), record)
    frames._made = lambda _: {"frame": frame}
    assert sum(len(own) for own in frames.values()) == len(many) * len(frame)
    assert len(frames._held) == FRAMES_HELD


def test_records_without_outputs_have_no_frame(results):
    """Trials on development tracks, for example, keep only their values."""
    first, second, *_ = [read_record(path) for path in results.paths()]
    frames = ExampleFrames(results, [first, second.model_copy(update={"outputs": None})])
    assert list(frames) == [first.id]
