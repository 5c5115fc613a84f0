"""The command line: its output, and one clear line with exit code 2 for bad input."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.statistics.tables import COLUMNS


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Hides all artifacts, runs and records from commands except those that the test makes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--suite", "quik"], "unknown suite 'quik'; did you mean quick"),
        (["run", "--method", "gradd_iff"], "did you mean grad_diff"),
        (
            ["run", "--task", "frequency/hihg"],
            "unknown variant of frequency 'hihg'; did you mean high",
        ),
        (["plan", "--task", "fictious"], "did you mean fictitious"),
        (["plan", "--track", "controlled-1"], "did you mean controlled-1m"),
        (["plan", "--answers", "sentence"], "--answers sentence: is the form of the answers in"),
        (["plan", "--suite", "missing.yaml"], "missing.yaml: No such file"),
        (["validate", "nowhere"], "nowhere: no records"),
        (["export", "--out", "table.xls"], "table.xls: the name must end in .csv or .parquet"),
        (["export", "--out", "table.csv", "--results", "nowhere"], "nowhere: no records"),
        (["site", "--results", "nowhere"], "nowhere"),
        (["report"], "pass either a task, --attacks or --claims"),
        (["report", "fictitious", "--attacks"], "pass either a task, --attacks"),
        (["report", "--attacks", "--results", "nowhere"], "nowhere: no records"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message):
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_negative_seeds_are_refused_for_they_could_reach_those_of_the_oracles():
    result = call("plan", "--suite", "smoke", "--seed", "-999")
    assert result.exit_code == 2
    assert "--seed" in result.stderr


SUITE = """
name: mine
description: x
tracks: [tiny-dev]
tasks: [frequency/low]
oracles: 2
methods: [none]
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("methods: [none]", "methods: [none"), "line 8, column 1: not valid YAML"),
        (
            ("oracles: 2", "oracles: 1"),
            "mine.yaml: oracles: Input should be greater than or equal to 2, found '1'",
        ),
        (("oracles: 2", "oracels: 2"), "mine.yaml: oracles: is missing"),
        (
            ("methods: [none]", "methods: []"),
            "mine.yaml: methods: List should have at least 1 item",
        ),
        (
            ("[none]", "[{name: none, seed: 3}]"),
            "mine.yaml: methods.0.seed: there is no such field",
        ),
        (("[none]", "[{name: npo, parameters: {bta: 1}}]"), "method npo: parameter bta"),
        (("tracks: [tiny-dev]", "tracks: [tiny-dve]"), "did you mean tiny-dev"),
        (
            ("tasks: [frequency/low]", "tasks: frequency"),
            "mine.yaml: tasks: Input should be a valid list",
        ),
    ],
)
def test_a_malformed_suite_names_file_and_field(tmp_path, change, message):
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE.replace(*change))
    result = call("plan", "--suite", path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_suite_whose_methods_are_for_another_track_is_bad_input(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE.replace("[none]", "[{name: none, tracks: [controlled-1m]}]"))
    result = call("plan", "--suite", path)
    assert result.exit_code == 2
    assert "none of its methods (none) runs on the selected tracks and tasks" in result.stderr


def test_plan_counts_cells_and_runs_nothing(tmp_path):
    result = call("plan", "--suite", "smoke")
    assert result.exit_code == 0
    assert "8 cells, 0 cached, 4 models to train; about" in result.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("npo", True),
        ("{name: npo, parameters: {learning_rate: 1.0e-4}}", False),
        ("none", False),
        ("pool", False),
    ],
)
def test_plan_says_which_methods_nobody_tuned_for_a_task(tmp_path, entry, said):
    """Neither anchors with a learning rate nor rates given by the suite are reported."""
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE.replace("[none]", f"[{entry}]"))
    line = f"not tuned for questions, runs at the default learning rate: {entry}"
    assert (line in call("plan", "--suite", path).stdout) is said
    assert ("not tuned" in call("plan", "--suite", path).stdout) is said


def test_a_run_with_failed_cells_says_so_last_and_exits_with_1(tmp_path, monkeypatch):
    """Nothing runs here, so no cell has a record."""
    monkeypatch.setattr("benchmark.execution.run_plan.run_plan", lambda *_: None)
    result = call("run", "--suite", "smoke", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "0 of 8 cells failed, 8 were skipped" in result.stderr.splitlines()[-1]


def test_plan_takes_the_narrowing_options():
    result = call("plan", "--suite", "smoke", "--method", "npo", "--seed", "5", "--seed", "6")
    assert "5 cells" in result.stdout
    assert "npo · frequency/low · seed 6" in result.stdout


def test_list_names_everything():
    result = call("list")
    for name in (
        "quick",
        "controlled-1m",
        "frequency/mid",
        "refuse_all",
        "truth_ratio_cw",
        "quantize_int4_g64",
    ):
        assert name in result.stdout


def test_doctor_reports_every_package_and_the_machine():
    result = call("doctor")
    assert result.exit_code == 0
    for word in ("torch", "transformers", "memory", "processor", "GPU", "disk"):
        assert word in result.stdout


@pytest.mark.parametrize(("name", "read"), [("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)])
def test_export_writes_the_long_table(results, name, read):
    results = results.root
    assert call("export", "--out", name, "--results", results).exit_code == 0
    table = read(name)
    assert tuple(table.columns) == (*COLUMNS, "score_version")
    assert {"forgetting", "utility", "privacy", "robustness", "score"} <= set(table["metric"])
    assert "all" in set(table["stratum"])
