"""Many records: synthetic folders are valid, and caching on disk changes no page."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.records.derived import Derived
from benchmark.records.identity import DEVELOPMENT_SUFFIX, ORACLE, TARGET
from benchmark.records.schema import TrialScore
from benchmark.records.store import ResultStore
from benchmark.records.validation import Folder, validate
from benchmark.records.values import trial_tables, versions_of
from benchmark.tools.synthetic_results import GENERATIONS, make
from leaderboard.board import load_board
from leaderboard.build import build_site
from leaderboard.tables import overall_rows

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1024  # in the units of ru_maxrss (kB)


@pytest.fixture
def synthetic(results, tmp_path):
    """Thirty records, most of them copies of the target, two oracles, and two seeds each of alpha
    and beta.
    """
    make(results.root, tmp_path / "synthetic", 30)
    return ResultStore(tmp_path / "synthetic")


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("recompute", [True, False])
def test_a_synthetic_folder_is_valid_and_has_what_was_wanted(synthetic, recompute):
    folder = Folder(synthetic)
    assert len(folder.records) == 30
    assert validate(folder, recompute=recompute) == []


def test_copies_are_other_methods_with_outputs_of_their_own(synthetic):
    records = list(synthetic.read_all())
    digests = {r.outputs.sha256 for r in records}
    assert len(digests) == 30
    generations = [f"alpha{end}" for end in ("", "_2", "_3", "_4")]
    assert len(generations) == GENERATIONS
    methods = {(r.track, r.method.name) for r in records}
    assert {("toy-1", name) for name in generations} < methods
    assert ("toy-2", "alpha") in methods
    references = [r for r in records if r.method.name in (TARGET, ORACLE)]
    assert len(references) == 2 * 3


def test_copies_score_as_what_they_were_made_from(synthetic):
    track = load_board(synthetic.root).tracks[0]
    rows = {row.name: row.quantities["score"] for row in overall_rows(track)}
    assert rows["beta"].known
    assert rows["beta_2"] == rows["beta"] != rows["alpha"]


def test_names_of_development_tracks_stay_so_and_trials_have_no_outputs(
    tmp_path, make_record, make_identity, model_samples
):
    track = f"toy{DEVELOPMENT_SUFFIX}"
    runs = [(TARGET, 0), (ORACLE, 1), (ORACLE, 2), ("alpha", 0)]
    own = {run: make_identity(*run, track=track) for run in runs}
    known = {TARGET: (0.9, 0.9), ORACLE: (0.2, 0.9), "alpha": (0.3, 0.85)}
    samples = {run: model_samples(*known[run[0]], run[1]) for run in runs}
    oracles = {own[run].id: samples[run] for run in runs if run[0] == ORACLE}
    store = ResultStore(tmp_path / "results")
    for run in runs:
        record, said = make_record(*run, samples[run], oracles, own[run])
        if record.is_trial:
            trial = TrialScore.of({"forgetting": 0.5}, np.array([0.5, 0.25]))
            values = trial_tables(record.values)
            changes = {"trial": trial, "values": values, "metrics": versions_of(values)}
            record, said = record.model_copy(update=changes), None
        store.write(record, said)
    make(store.root, tmp_path / "synthetic", 7 + 4)  # two models
    copied = ResultStore(tmp_path / "synthetic")
    records = list(copied.read_all())
    assert {r.track for r in records} == {
        f"toy-1{DEVELOPMENT_SUFFIX}",
        f"toy-2{DEVELOPMENT_SUFFIX}",
    }
    assert {r.method.name for r in records if r.is_trial} >= {"alpha", "alpha_2"}
    assert {r.outputs for r in records if r.is_trial} == {None}
    assert validate(Folder(copied)) == []


def test_pages_are_the_same_with_and_without_what_is_kept(synthetic, tmp_path):
    derived = Derived.below(tmp_path / "home")
    plain = build_site(synthetic.root, tmp_path / "plain").parent
    for _ in range(2):
        kept = build_site(synthetic.root, tmp_path / "kept", derived).parent
        assert contents(kept) == contents(plain)


@pytest.mark.audit
def test_the_memory_of_a_site_hardly_grows_with_the_records(results, tmp_path):
    """Frames, replicates and values are read on demand and not held in memory: each further record
    costs at most 0.12 MB, including its pages and files.
    """
    peaks = []
    for count in (60, 360):
        many = tmp_path / f"results-{count}"
        make(results.root, many, count)
        command = ["site", "--results", str(many), "--out", str(tmp_path / f"site-{count}")]
        home = {"PALIMPSEST_HOME": str(tmp_path / "home")}
        peaks.append(_peak([sys.executable, "-m", "benchmark.cli", *command], home))
    assert (peaks[1] - peaks[0]) / MEGABYTE < 300 * 0.12


def _peak(command, environment):
    """Peak memory in kB of a command or any of its child processes."""
    told = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stdout=sys.stderr); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    found = subprocess.run(
        [sys.executable, "-c", told, *command],
        cwd=ROOT, env=os.environ | environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(found.stdout)
