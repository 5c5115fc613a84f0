"""Standings of a results folder: the same from cached parts, from other processes, and computed on
the fly.
"""

import dataclasses

import pandas as pd
import pytest

from benchmark.records.derived import Derived
from benchmark.records.frames import expected_seeds
from benchmark.records.store import read_record
from benchmark.statistics import processes, published


@pytest.fixture
def records(results):
    return [read_record(path) for path in results.paths()]


def score(results, records, derived=None):
    kept = derived or Derived()
    return published.standings_of(results, records, expected_seeds(records), kept)


def assert_same(one, other):
    for field in dataclasses.fields(one):
        own, others = getattr(one, field.name), getattr(other, field.name)
        pd.testing.assert_frame_equal(own, others, check_exact=True)


def made(derived, kind="methods"):
    return {path.name for path in (derived.folder / kind).rglob("*") if path.is_file()}


def test_kept_parts_give_the_same_standings(results, records, tmp_path):
    plain, derived = score(results, records), Derived.below(tmp_path)
    assert_same(score(results, records, derived), plain)
    for path in results.root.rglob("*.parquet"):
        path.unlink()  # everything needed from them is cached
    assert_same(score(results, records, derived), plain)
    for path in derived.folder.rglob("methods/*/*"):
        path.write_bytes(b"spoiled")  # recomputed from the frames
    assert_same(score(results, records, derived), plain)


def test_processes_give_the_same_standings(results, records, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "FEW", 0)
    monkeypatch.setattr(published, "TOGETHER", 1)
    monkeypatch.setattr(processes, "cores", lambda: 2)
    derived = Derived.below(tmp_path)
    assert_same(score(results, records, derived), score(results, records))
    assert len(made(derived)) == len({r.method.name for r in records} - {"target", "oracle"})


def test_another_seed_makes_the_part_of_its_method_alone_anew(results, records, tmp_path):
    derived = Derived.below(tmp_path)
    fewer = [r for r in records if (r.method.name, r.seed) != ("beta", 1)]
    score(results, fewer, derived)
    before = made(derived)
    assert_same(score(results, records, derived), score(results, records))
    assert len(made(derived) - before) == 1
    assert len(made(derived, "references")) == 1


def test_another_oracle_makes_every_part_anew(results, records, tmp_path):
    derived = Derived.below(tmp_path)
    fewer = [r for r in records if (r.method.name, r.seed) != ("oracle", 2)]
    score(results, fewer, derived)
    before = made(derived)
    assert_same(score(results, records, derived), score(results, records))
    assert len(made(derived) - before) == len(before)
