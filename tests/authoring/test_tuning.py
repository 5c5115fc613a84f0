"""`tune`: the declared trials, the choice among them, and the edit of a track's file."""

import re
import shutil

import numpy as np
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from benchmark.authoring import tuning
from benchmark.authoring.tuning import PARAMETER, trial_suite, tuned_file, with_rate
from benchmark.cli import app
from benchmark.core import registry
from benchmark.errors import BadInput
from benchmark.models.tracks import FOLDER, track_named
from benchmark.records.schema import Failure, TrialScore
from benchmark.records.store import ResultStore
from benchmark.reports.tuning_table import print_trials
from benchmark.statistics.axes import AXES

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
    """What these files register is known to their test alone."""
    registry.methods()
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))


@pytest.mark.parametrize("track", ["controlled-1m", "smollm2-135m"])
def test_every_method_has_the_same_five_trials_on_development_data(track):
    suites = [trial_suite(name, track, []) for name in ("npo", "idk")]
    rates = [[entry.parameters[PARAMETER] for entry in suite.methods] for suite in suites]
    assert rates[0] == rates[1] == sorted(rates[0])
    assert len(set(rates[0])) == 5
    assert suites[0].tracks == [f"{track}-dev"]
    assert {frozenset(entry.parameters) for entry in suites[0].methods} == {frozenset({PARAMETER})}


def test_families_narrow_the_trials_to_their_tasks():
    assert trial_suite("npo", "controlled-1m", []).tasks == [
        *("fictitious", "memorized", "continual/5")
    ]
    assert trial_suite("npo", "controlled-1m", ["texts"]).tasks == ["memorized"]
    assert trial_suite("npo", "controlled-1m-dev", ["texts"]).tracks == ["controlled-1m-dev"]


@pytest.mark.parametrize(
    ("method", "track", "families", "message"),
    [
        ("refuse_all", "controlled-1m", [], "refuse_all: has no learning_rate"),
        ("npo", "controlled-1m", ["text"], "unknown task family 'text'; did you mean texts"),
        ("npo", "pythia-1.4b", [], "unknown track 'pythia-1.4b-dev'"),
        ("nop", "controlled-1m", [], "did you mean npo"),
    ],
)
def test_what_cannot_be_tuned_is_bad_input(method, track, families, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        trial_suite(method, track, families)


def test_a_rate_is_written_for_registered_methods_and_scored_tracks_alone():
    assert tuned_file("npo", "smollm2-135m") == FOLDER / "smollm2-135m.yaml"
    with pytest.raises(BadInput, match=r"write the chosen learning_rate into mine\.py"):
        tuned_file("mine.py:Mine", "smollm2-135m")
    for track in ("controlled-1m-dev", "nowhere"):
        with pytest.raises(BadInput, match=f"{track} is no scored track"):
            tuned_file("npo", track)


BLOCK = """# About a.
a: 1
tuned:  # by trials
  npo: {learning_rate: 1.0e-5}  # why
  idk:
    learning_rate: 3.0e-5  # and this
    lora: true

# About b.
b: {c: 1}
"""


@pytest.mark.parametrize(
    ("text", "method", "expected"),
    [
        (BLOCK, "npo", BLOCK.replace("1.0e-5}", "3.0e-4}")),
        (BLOCK, "idk", BLOCK.replace("3.0e-5 ", "3.0e-4 ")),
        (BLOCK, "me", BLOCK.replace("true\n", "true\n  me: {learning_rate: 3.0e-4}\n")),
        ("tuned: {}  # yet\nb: 1\n", "me", "tuned:  # yet\n  me: {learning_rate: 3.0e-4}\nb: 1\n"),
        ("b: 1  # last", "me", "b: 1  # last\ntuned:\n  me: {learning_rate: 3.0e-4}\n"),
        ("tuned:\nb: 1\n", "me", "tuned:\n  me: {learning_rate: 3.0e-4}\nb: 1\n"),
        (
            "tuned: {npo: {beta: 1}}\n",
            "me",
            "tuned: {npo: {beta: 1}, me: {learning_rate: 3.0e-4}}\n",
        ),
        ("tuned:\n  me: {beta: 1}\n", "me", "tuned:\n  me: {beta: 1, learning_rate: 3.0e-4}\n"),
        ("tuned:\n  me: {}\n", "me", "tuned:\n  me: {learning_rate: 3.0e-4}\n"),
    ],
)
def test_an_edit_changes_one_number_or_adds_one_line(text, method, expected):
    assert with_rate(text, method, 3e-4) == expected


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_track_can_be_edited_and_keeps_all_else(path):
    text = path.read_text()
    for method in ("npo", "gru"):
        for rate in (2.5e-6, 1e-3, 0.1):
            edited = with_rate(text, method, rate)
            before, after = yaml.safe_load(text), yaml.safe_load(edited)
            assert after.pop("tuned")[method][PARAMETER] == rate
            before.pop("tuned", None)
            assert before == after
            comments = re.findall("#.*", text)
            assert re.findall("#.*", edited) == comments


@pytest.fixture
def make_trials(make_record, make_identity, model_samples):
    """Records of a method's trials from scores by rate; a text is the error of a failed one."""
    samples = model_samples(0.3, 0.9, 0)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 1000)

    def record_of(rate, outcome):
        identity = make_identity("alpha", 0, track="toy-dev")
        method = identity.method.model_copy(update={"parameters": {PARAMETER: rate}})
        identity = identity.model_copy(update={"method": method})
        record, _ = make_record("alpha", 0, samples, {}, identity)
        if isinstance(outcome, str):
            failure = Failure(type="Error", message=outcome, traceback="")
            return record.model_copy(update={"error": failure})
        score = np.array([outcome, *(outcome + noise)])
        trial = TrialScore.of(dict.fromkeys(AXES, outcome), score)
        return record.model_copy(update={"trial": trial})

    return lambda outcomes: [record_of(*pair) for pair in zip(RATES, outcomes, strict=True)]


def shown(records):
    console = Console(width=140, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    rate = print_trials(records, console)
    text = console.export_text()
    return rate, text, {line.split()[0]: line for line in text.splitlines() if line.split()}


def test_the_smallest_value_as_good_as_the_best_is_chosen(make_trials):
    rate, text, rows = shown(make_trials([0.1, 0.5, 0.5, 0.3, 0.2]))
    assert rate == 1e-4
    assert "(best)" in rows["0.0001"]
    assert rows["0.0001"].split()[-1] == "chosen"
    assert "chosen" not in rows["0.0003"]
    assert "0.200 to 0.200" in rows["0.001"]
    assert "0.500 [0.48" in rows["0.0001"]
    assert "edge" not in text


@pytest.mark.parametrize(
    ("scores", "end"), [([0.5, 0.4, 0.3, 0.2, 0.1], "smallest"), ([0, 0, 0.1, 0.2, 0.4], "largest")]
)
def test_a_best_value_at_the_edge_of_the_grid_is_said_to_be_there(make_trials, scores, end):
    assert f"the {end} one tried: at the edge of the grid" in shown(make_trials(scores))[1]


def test_a_failed_trial_is_shown_with_its_error_and_never_chosen(make_trials):
    rate, text, _ = shown(make_trials([0.1, 0.2, 0.3, "the loss is nan", float("nan")]))
    assert rate == 3e-4
    assert "0.001 failed: the loss is nan\n0.003 failed: no score\n" in text
    assert "edge" not in text


def test_without_any_trial_nothing_is_chosen(make_trials):
    rate, text, _ = shown(make_trials(["nan"] * 5))
    assert rate is None
    assert "0.003 failed: nan" in text


@pytest.mark.slow
def test_the_command_runs_five_trials_once_and_writes_the_chosen_rate(tmp_path, monkeypatch):
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    shutil.copy(FOLDER / "controlled-1m.yaml", tracks / "tiny.yaml")
    monkeypatch.setattr(tuning, "FOLDER", tracks)
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(METHOD)

    def tune(method, *words):
        command = ["tune", method, "--track", "tiny", "--family", "questions", *words]
        return CliRunner().invoke(app, command)

    first = tune("mine.py:Mine")
    assert first.exit_code == 0, first.output
    assert "8 cells, 0 cached, 13 jobs, about" in first.stdout
    again = tune("mine.py")
    assert "8 cells, 8 cached, 0 jobs, nothing to run" in again.stdout
    assert again.stdout.partition("trials of")[2] == first.stdout.partition("trials of")[2]
    records = [r for r in ResultStore(tmp_path / "runs").read_all() if r.is_trial]
    assert sorted(r.method.parameters[PARAMETER] for r in records) == sorted(RATES)
    assert {r.track for r in records} == {"tiny-dev"}
    written = tune("npo", "--write")
    (rate,) = re.findall(r"chosen: learning_rate (\S+),", written.stdout)
    text = (tracks / "tiny.yaml").read_text()
    assert yaml.safe_load(text)["tuned"] == {"npo": {PARAMETER: float(rate)}}
    refused = tune("refuse_all")
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1


def test_trials_of_development_tracks_are_those_of_the_tracks_that_they_are_for():
    for name in ("controlled-1m", "smollm2-135m"):
        assert track_named(f"{name}-dev").trials == track_named(name).trials is not None
