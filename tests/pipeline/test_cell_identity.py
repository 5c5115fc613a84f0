"""What the id of a cell covers, and what a finished cell lacks after a change."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.core.inputs import Inputs
from benchmark.core.registry import attack_of
from benchmark.models import tracks
from benchmark.models.tracks import track_named
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.suite import Suite
from benchmark.pipeline.variant import Variant
from benchmark.records.schema import References, Shard
from benchmark.records.store import ResultStore

CONTROLLED, SMOLLM2 = track_named("controlled-1m"), track_named("smollm2-135m")
HERE = Inputs(Path("home"))


@pytest.fixture
def finished(make_record, model_samples):
    """A function that returns the record of a finished cell."""

    def record_of(cell):
        shards = {
            stage: Shard(id=cell.shard_id(stage), recipe=recipe, rows=1, digest="d")
            for stage, recipe in cell.recipes.items()
        }
        told = References(target=cell.target_id, oracles=list(cell.oracle_ids))
        record, _ = make_record(
            cell.method_name, cell.seed, model_samples(0.5, 0.5, 0), {}, cell.identity,
            shards=shards, references=told, evaluation=cell.evaluation,
        )  # fmt: skip
        return record

    return record_of


def cell_on(track, monkeypatch, tmp_path, oracles=2):
    """The cell of `none`, planned with this definition of a track."""
    monkeypatch.setattr(tracks, "_tracks", lambda: {track.name: track})
    suite = Suite(
        name="s",
        description="",
        tracks=[track.name],
        tasks=["frequency/low"],
        methods=["none"],
        oracles=oracles,
    )
    planner = Planner(Inputs(tmp_path / "home"), ResultStore(tmp_path / "out"))
    return planner.plan(suite).cells[0]


LONGER = attack_of({"name": "relearn_disjoint", "steps": 40, "learning_rate": 5e-4})
SECOND = CONTROLLED.attacks[1].name
OTHER_ATTACKS = {
    "longer": ((CONTROLLED.attacks[0], LONGER, *CONTROLLED.attacks[2:]), [LONGER.name]),
    "the second alone": (CONTROLLED.attacks[1:], []),
}


@pytest.mark.parametrize("change", OTHER_ATTACKS)
def test_another_attack_leaves_the_id_and_is_what_a_finished_cell_lacks(
    change, monkeypatch, tmp_path, finished
):
    attacks, lacking = OTHER_ATTACKS[change]
    cell = cell_on(CONTROLLED, monkeypatch, tmp_path)
    record = finished(cell)
    store = ResultStore(tmp_path / "out")
    store.write(record, None)
    assert cell.is_done(store)
    changed = cell_on(replace(CONTROLLED, attacks=attacks), monkeypatch, tmp_path)
    assert changed.id == cell.id
    assert changed.lacks(record) == lacking
    assert changed.is_done(store) == (not lacking)


def test_one_more_attack_is_what_a_finished_cell_lacks(monkeypatch, tmp_path, finished, shake):
    record = finished(cell_on(CONTROLLED, monkeypatch, tmp_path))
    more = replace(CONTROLLED, attacks=(*CONTROLLED.attacks, shake))
    changed = cell_on(more, monkeypatch, tmp_path)
    assert (changed.id, changed.lacks(record)) == (record.id, ["shake"])


def test_a_newer_version_of_an_attack_is_measured_again(monkeypatch, tmp_path, finished):
    record = finished(cell_on(CONTROLLED, monkeypatch, tmp_path))
    monkeypatch.setattr(type(CONTROLLED.attacks[1]), "version", 1000)
    changed = cell_on(CONTROLLED, monkeypatch, tmp_path)
    assert (changed.id, changed.lacks(record)) == (record.id, [SECOND])


def test_other_questions_leave_the_id_and_no_stage(monkeypatch, tmp_path, finished):
    record = finished(cell_on(CONTROLLED, monkeypatch, tmp_path))
    monkeypatch.setattr("benchmark.pipeline.variant.PREFIX_STRIDE", 1000)
    changed = cell_on(CONTROLLED, monkeypatch, tmp_path)
    assert (changed.id, changed.lacks(record)) == (record.id, list(changed.recipes))


def test_the_profile_is_part_of_ids(monkeypatch, tmp_path):
    plain = replace(CONTROLLED, profile=replace(CONTROLLED.profile, prompts="plain"))
    one, other = (cell_on(track, monkeypatch, tmp_path) for track in (CONTROLLED, plain))
    assert one.id != other.id


def test_more_oracles_leave_the_id_and_fewer_are_enough(monkeypatch, tmp_path, finished):
    store = ResultStore(tmp_path / "out")
    cells = {n: cell_on(CONTROLLED, monkeypatch, tmp_path, oracles=n) for n in (2, 3, 4)}
    store.write(finished(cells[3]), None)
    assert len({cell.id for cell in cells.values()}) == 1
    assert {n: cell.is_done(store) for n, cell in cells.items()} == {2: True, 3: True, 4: False}


def test_how_pretrained_models_are_tuned_is_part_of_their_ids_and_of_no_others(monkeypatch):
    tuned, trained = (
        Variant(SMOLLM2, "real_entities", "low", 3, HERE),
        Variant(CONTROLLED, "fictitious", "", 3, HERE),
    )
    before = tuned.settings, trained.settings
    monkeypatch.setattr("benchmark.pipeline.variant.TUNING_VERSION", 1000)
    assert tuned.settings != before[0]
    assert trained.settings == before[1]
