"""`tune`: the declared trials, the choice among them, early stopping, and the file of rates."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from benchmark.authoring import tuning
from benchmark.authoring.tuning import (
    chosen_file,
    next_rates,
    searched,
    trial_suite,
    tunable,
    write_chosen,
)
from benchmark.cli import app
from benchmark.core import registry
from benchmark.core.registry import method_named
from benchmark.errors import BadInput
from benchmark.models import track_files, tracks
from benchmark.models.track_files import CHOSEN
from benchmark.models.tracks import all_tracks, track_named
from benchmark.models.trials import Family, Search, Trials
from benchmark.records.identity import TUNED
from benchmark.records.schema import Failure, TrialScore
from benchmark.records.store import ResultStore
from benchmark.reports.tuning_table import print_trials
from benchmark.statistics.axes import AXES
from benchmark.statistics.trials import best_of, compared, edge_of, has_destroyed, rate_of

NPO = method_named("npo")
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
METHOD = '''
from benchmark.api import GradientMethod, register_method

@register_method("mine_tuned", reference="", family="test", sees={"forget"})
class Mine(GradientMethod):
    """Gradient ascent."""

    def loss(self, batch):
        return -self.nll(batch.forget).mean()
'''


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """Keeps the methods that these files register local to each test."""
    registry.methods()
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))


@pytest.mark.parametrize("track", ["controlled-1m", "smollm2-135m"])
def test_every_method_has_the_same_trials_in_each_family_on_development_data(track):
    trials = track_named(track).trials
    assert len(set(trials.rates)) == len(trials.rates) >= 5
    for rate in trials.rates:
        suite = trial_suite(
            track, {(name, family): [rate] for name in ("npo", "idk") for family in trials.families}
        )
        assert suite.tracks == [f"{track}-dev"]
        assert [entry.parameters for entry in suite.methods] == [{TUNED: rate}] * 2
        assert suite.methods[0].tasks == suite.methods[1].tasks == suite.tasks
        assert suite.tasks == [family.trial for family in trials.families.values()]


def test_a_method_runs_on_the_trials_of_the_families_that_it_still_tries():
    suite = trial_suite(
        "controlled-1m-dev", {("npo", "texts"): [1e-4, 1e-3], ("idk", "questions"): [1e-4]}
    )
    assert suite.tracks == ["controlled-1m-dev"]
    assert suite.tasks == ["fictitious", "memorized"]
    rows = [(entry.name, entry.parameters[TUNED], entry.tasks) for entry in suite.methods]
    assert rows == [
        ("npo", 1e-4, ["memorized"]),
        ("npo", 1e-3, ["memorized"]),
        ("idk", 1e-4, ["fictitious"]),
    ]


def test_without_names_all_ranked_methods_with_a_rate_are_tuned():
    names = tunable([])
    assert {"npo", "whp_decode"} <= set(names)
    assert not {"retrain", "refuse_all", "none"} & set(names)
    assert not any(method_named(name).anchor for name in names)


def tune(*words):
    return CliRunner().invoke(app, ["tune", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["refuse_all"], "refuse_all: has no learning_rate"),
        (["npo", "--family", "text"], "unknown task family 'text'; did you mean texts"),
        (["npo", "--track", "pythia-1.4b"], "unknown track 'pythia-1.4b-dev'"),
        (["npo", "--track", "tiny-dev", "--write"], "tiny-dev is not a scored track"),
        (["nop"], "did you mean npo"),
    ],
)
def test_what_cannot_be_tuned_is_bad_input(words, message, tmp_path, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    refused = tune(*words)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_rates_are_written_for_scored_tracks_alone():
    assert chosen_file("smollm2-135m") == CHOSEN / "smollm2-135m.yaml"
    for track in ("controlled-1m-dev", "nowhere"):
        with pytest.raises(BadInput, match=f"{track} is not a scored track"):
            chosen_file(track)


def test_new_rates_stand_beside_those_of_other_methods_and_families(tmp_path):
    file = tmp_path / "chosen" / "t.yaml"
    write_chosen(file, {"npo": {"questions": 1e-4, "texts": 3e-5}, "idk": {"texts": 2.5e-6}})
    write_chosen(file, {"npo": {"texts": 0.1}})
    assert yaml.safe_load(file.read_text()) == {
        "idk": {"texts": 2.5e-6},
        "npo": {"questions": 1e-4, "texts": 0.1},
    }
    assert file.read_text().splitlines()[1:] == [
        "idk: {texts: 2.5e-6}",
        "npo: {questions: 1.0e-4, texts: 1.0e-1}",
    ]


def test_the_first_rates_of_its_own_leave_a_track_those_that_it_shared(tmp_path, monkeypatch):
    """`study-1m` shares the models of `controlled-1m`, and its rates until it has its own file."""
    monkeypatch.setattr(track_files, "CHOSEN", tmp_path)
    write_chosen(tmp_path / "controlled-1m.yaml", {"npo": {"questions": 1e-4, "texts": 2e-4}})
    write_chosen(tmp_path / "study-1m.yaml", {"npo": {"texts": 5e-5}, "idk": {"texts": 1e-3}})
    assert yaml.safe_load((tmp_path / "study-1m.yaml").read_text()) == {
        "npo": {"questions": 1e-4, "texts": 5e-5},
        "idk": {"texts": 1e-3},
    }


def test_a_method_has_the_rate_of_the_family_of_its_task(tmp_path, monkeypatch):
    monkeypatch.setattr(track_files, "CHOSEN", tmp_path)
    write_chosen(tmp_path / "controlled-1m.yaml", {"npo": {"questions": 1e-4, "texts": 2e-4}})
    tracks._tracks.cache_clear()
    try:
        track = track_named("controlled-1m")
        rates = {t: track.parameters_of(NPO, t, {}) for t in ("frequency", "memorized", "other")}
        assert rates == {
            "frequency": {TUNED: 1e-4},
            "memorized": {TUNED: 2e-4},
            "other": {TUNED: 1e-4},  # tasks that no family names belong to the first
        }
        assert track.parameters_of(NPO, "continual", {}) == {}  # not tuned yet
        assert track.parameters_of(NPO, "memorized", {TUNED: 0.5}) == {TUNED: 0.5}
        for other in ("controlled-1m-dev", "controlled-250k"):
            assert track_named(other).parameters_of(method_named("idk_ap"), "memorized", {}) == {}
    finally:
        tracks._tracks.cache_clear()


def test_the_rates_of_tracks_are_of_their_own_families_and_grids():
    for track in all_tracks():
        for method, rates in track.chosen.items():
            assert method in registry.methods()
            assert rates.keys() <= track.trials.families.keys()
            assert set(rates.values()) <= set(track.trials.rates)


@pytest.fixture
def make_trials(make_record, make_identity, model_samples):
    """Builds trial records of a method from one outcome per rate: a score, or the error message of
    a failed trial.
    """
    samples = model_samples(0.3, 0.9, 0)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 1000)

    def record_of(rate, outcome, utility=0.5):
        identity = make_identity("alpha", 0, track="toy-dev")
        method = identity.method.model_copy(update={"parameters": {TUNED: rate}})
        identity = identity.model_copy(update={"method": method})
        record, _ = make_record("alpha", 0, samples, {}, identity)
        if isinstance(outcome, str):
            failure = Failure(type="Error", message=outcome, traceback="")
            return record.model_copy(update={"error": failure})
        score = np.array([outcome, *(outcome + noise)])
        axes = dict.fromkeys(AXES, outcome) | {"utility": utility}
        trial = TrialScore.of(axes, score)
        return record.model_copy(update={"trial": trial})

    return lambda outcomes, *utilities: [
        record_of(*own) for own in zip(RATES, outcomes, *utilities, strict=False)
    ]


def shown(records):
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    rate = print_trials(records, "questions", RATES, console)
    text = console.export_text()
    return rate, text, {line.split()[0]: line for line in text.splitlines() if line.split()}


def test_the_best_rate_is_chosen_and_the_smallest_of_equals(make_trials):
    rate, text, rows = shown(make_trials([0.1, 0.5, 0.5, 0.3, 0.2]))
    assert rate == 1e-4
    assert "chosen" in rows["0.0001"]
    assert "chosen" not in rows["0.0003"]
    assert "0.200 to 0.200" in rows["0.001"]
    assert "0.500 [0.48" in rows["0.0001"]
    assert "edge" not in text


@pytest.mark.parametrize(
    ("scores", "end"), [([0.5, 0.4, 0.3, 0.2, 0.1], "smallest"), ([0, 0, 0.1, 0.2, 0.4], "largest")]
)
def test_a_best_rate_at_the_edge_of_the_grid_is_said_to_be_there(make_trials, scores, end):
    assert f"the {end} in the grid; a better one may lie outside" in shown(make_trials(scores))[1]


def test_a_failed_trial_is_shown_with_its_error_and_never_chosen(make_trials):
    rate, text, _ = shown(make_trials([0.1, 0.2, 0.3, "the loss is nan", float("nan")]))
    assert rate == 3e-4
    assert "0.001 failed: the loss is nan\n0.003 failed: no score\n" in text
    assert "edge" not in text


def test_without_any_trial_nothing_is_chosen(make_trials):
    rate, text, _ = shown(make_trials(["nan"] * 5))
    assert rate is None
    assert "0.003 failed: nan" in text


def test_a_trial_that_failed_or_kept_a_tenth_of_utility_ends_the_search(make_trials):
    utilities = [0.9, 0.1, 0.099, float("nan"), 0.9]
    tried = make_trials([0.1, 0.2, 0.3, 0.3, "the loss is nan"], utilities)
    assert [has_destroyed(r) for r in tried] == [False, False, True, True, True]


GRID = Trials(rates=RATES, families={"all": Family("x", ())}, oracles=1, attacks=())
SEARCH = replace(GRID, search=Search(first=(RATES[1], RATES[3]), most=4))


@pytest.mark.parametrize(
    ("trials", "scores", "order"),
    [
        (GRID, [0.1, 0.2, 0.3, 0.4, 0.5], [0, 1, 2, 3, 4]),
        (SEARCH, [0.1, 0.2, 0.3, 0.4, 0.5], [1, 3, 2, 4]),
        (SEARCH, [0.5, 0.4, 0.3, 0.2, 0.1], [1, 3, 0, 2]),
        (SEARCH, [0.1, 0.2, 0.5, 0.4, 0.3], [1, 3, 2, 4]),
        (SEARCH, [0.9, 0.2, 0.1, 0.4, 0.8], [1, 3, 2, 4]),  # the smallest has no tried neighbour
        (replace(SEARCH, search=Search(first=(RATES[4],), most=3)), [1, 2, 3, 4, 0], [4, 3, 2]),
    ],
)
def test_a_search_tries_the_first_rates_and_then_neighbours_of_the_best(
    make_trials, trials, scores, order
):
    tried = [rate_of(record) for record in searched(trials, make_trials(scores))]
    assert tried == [RATES[i] for i in order]


@pytest.mark.parametrize(
    ("destroying", "order"), [(4, [1, 3, 2, 4]), (3, [1, 3, 0, 2]), (2, [1, 3, 0, 2]), (1, [1, 0])]
)
def test_no_rate_is_tried_above_one_that_destroyed_the_model(make_trials, destroying, order):
    utilities = [0.5] * destroying + [0.0] * (5 - destroying)
    scores = [0.1 if i >= destroying else 0.2 + i / 10 for i in range(5)]
    records = searched(SEARCH, make_trials(scores, utilities))
    assert [rate_of(record) for record in records] == [RATES[i] for i in order]


def test_a_search_whose_trials_all_failed_has_ended(make_trials):
    records = make_trials(["the loss is nan"] * 5)
    assert [rate_of(record) for record in searched(SEARCH, records)] == [RATES[1]]
    assert next_rates(SEARCH, records[1:2]) == []


def test_first_rates_outside_the_grid_are_refused():
    with pytest.raises(ValueError, match=r"search\.first: 0\.5 is not among the rates"):
        replace(GRID, search=Search(first=(0.5,), most=2))


@pytest.mark.parametrize(
    ("scores", "tried", "edge"),
    [
        ([0.5, 0.4, 0.3, 0.2, 0.1], 5, "smallest"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], 5, "largest"),
        ([0.1, 0.2, 0.5], 3, ""),  # the larger rates were not tried
        ([0.1, 0.5, 0.3, 0.2, 0.1], 5, ""),
    ],
)
def test_an_edge_is_one_of_the_declared_grid(make_trials, scores, tried, edge):
    trials = compared(make_trials(scores))
    assert len(trials) == tried
    assert edge_of(trials, RATES) == edge


def test_trials_without_a_score_choose_nothing(make_trials):
    assert compared(make_trials(["failed", float("nan")])) == []
    assert best_of(compared(make_trials(["failed", 0.2, 0.1]))).rate == 1e-4


@pytest.mark.slow
def test_the_command_runs_trials_once_stops_early_and_writes_the_chosen_rate(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "CHOSEN", tmp_path / "chosen")
    monkeypatch.setattr(tuning, "tracks_with_files", lambda: {"tiny"})
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    declared = track_named("tiny-dev").trials.rates
    (tmp_path / "mine.py").write_text(METHOD)

    def on_tiny(*words):
        return tune(*words, "--track", "tiny", "--family", "questions")

    first = on_tiny("mine.py:Mine")
    assert first.exit_code == 0, first.output
    assert "4 cells, 0 cached, 9 jobs, about" in first.stdout
    again = on_tiny("mine.py")
    assert "4 cells, 4 cached, 0 jobs, nothing to run" in again.stdout
    table = "mine_tuned, questions: trials of its learning rate on tiny-dev"
    assert again.stdout.partition(table)[2] == first.stdout.partition(table)[2] != ""
    records = [r for r in ResultStore(tmp_path / "runs").read_all() if r.is_trial]
    tried = sorted(r.method.parameters[TUNED] for r in records)
    assert tried == list(declared[: len(tried)])
    destroyed = {r.method.parameters[TUNED] for r in records if has_destroyed(r)}
    assert destroyed <= {tried[-1]}
    assert len(tried) == len(declared) or destroyed
    written = on_tiny("npo", "mine.py:Mine", "--write")
    lines = [line.split() for line in written.stdout.splitlines()]
    npo, mine = [float(words[0]) for words in lines if "chosen" in words]
    assert yaml.safe_load((tmp_path / "chosen/tiny.yaml").read_text()) == {
        "mine_tuned": {"questions": mine},
        "npo": {"questions": npo},
    }


def test_trials_of_development_tracks_are_those_of_the_tracks_that_they_are_for():
    for name in ("controlled-1m", "smollm2-135m"):
        assert track_named(f"{name}-dev").trials == track_named(name).trials is not None
