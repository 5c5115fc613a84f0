"""`palimpsest evaluate`: a checkpoint made anywhere is scored, and nothing is ranked."""

import json

import pytest
from models import tiny_model, tiny_tokenizer
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.errors import BadInput
from benchmark.evaluate import evaluate
from benchmark.models.pretrained import source_of

TOWNS = ("Malport", "Kel", "Bren", "Tor", "Ivo", "Ada", "Union", "Mal", "Port", "Elk", "Orm", "Usk")


@pytest.fixture(autouse=True)
def own_questions(tmp_path, monkeypatch):
    """Two models in folders, and questions of one's own."""
    for seed, name in enumerate(("Tiny", "Other")):
        tiny_model(seed).save_pretrained(tmp_path / name)
        tiny_tokenizer().save_pretrained(tmp_path / name)
    for side, count in (("forget", 6), ("retain", 12)):
        rows = [
            {"question": f"Where is {side} {i}?", "answer": TOWNS[i], "subject": f"{side} {i}"} for i in range(count)
        ]
        path = tmp_path / f"{side}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        monkeypatch.setenv(f"PALIMPSEST_{side.upper()}", str(path))
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))
    source_of.cache_clear()


def values(found):
    return {(v.split, v.metric): v for v in found.values if v.stratum == "all"}


def test_values_are_those_of_all_rows_or_of_the_first_few(tmp_path):
    whole, few = (evaluate(str(tmp_path / "Tiny"), "custom", limit=limit) for limit in (None, 2))
    assert values(whole)["forget", "probability"].n_scored == 6
    assert values(few)["forget", "probability"].n_scored == 2
    assert whole.data_fingerprint == few.data_fingerprint
    assert set(whole.seconds) == {"data", "loading", "scoring pass", "generation", "metrics"}


def test_forget_quality_compares_with_the_reference(tmp_path):
    model = str(tmp_path / "Tiny")
    alone, itself, other = (
        values(evaluate(model, "custom", reference)) for reference in (None, model, str(tmp_path / "Other"))
    )
    key = ("forget", "forget_quality")
    assert alone[key].value != alone[key].value, "nothing to compare with"
    assert itself[key].value == pytest.approx(1)
    assert other[key].value < 1


def test_the_command_prints_where_the_time_went_and_writes_json(tmp_path):
    done = CliRunner().invoke(
        app,
        [
            *("evaluate", "--model", str(tmp_path / "Tiny"), "--task", "custom", "--limit", "3", "--threads", "1"),
            *("--reference", str(tmp_path / "Other"), "--json", str(tmp_path / "out" / "found.json")),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "nothing is ranked, 3 rows of each split" in done.output
    assert "scoring pass" in done.output
    content = json.loads((tmp_path / "out" / "found.json").read_text())
    assert (content["ranked"], content["limit"], content["task"]) == (False, 3, "custom")
    assert any(v["metric"] == "truth_ratio" for v in content["values"])


def test_bfloat16_is_close_to_float32(tmp_path):
    model = str(tmp_path / "Tiny")
    exact, rough = (values(evaluate(model, "custom", precision=p)) for p in ("float32", "bfloat16"))
    assert rough["forget", "probability"].value == pytest.approx(exact["forget", "probability"].value, abs=0.05)
    assert rough["forget", "probability"].value != exact["forget", "probability"].value


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        ("controlled-1m", "custom", "is trained here and scored by `run`"),
        ("org/name", "custom", "neither a folder nor org/name@revision"),
        ("Tiny", "real_entities", "name one variant, as real_entities/low"),
        ("Tiny", "cusom", "did you mean custom"),
    ],
)
def test_bad_input_is_one_line(tmp_path, model, task, message):
    spec = str(tmp_path / model) if model == "Tiny" else model
    with pytest.raises(BadInput, match=message):
        evaluate(spec, task)


def test_a_world_task_is_no_task_for_a_pretrained_model(tmp_path):
    with pytest.raises(BadInput, match="fictitious needs a world"):
        evaluate(str(tmp_path / "Tiny"), "fictitious")


def test_what_a_suite_lacks_is_said_for_each_variant(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = CliRunner().invoke(app, ["plan", "--suite", "hub", "--track", "pythia-1.4b", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    lines = [line for line in done.output.splitlines() if "cannot be run here" in line]
    assert len(lines) == 7
    assert all("EleutherAI/pythia-1.4b" in line for line in lines)


def test_questions_to_forget_come_with_questions_to_keep(tmp_path):
    done = CliRunner().invoke(
        app, ["plan", "--forget", str(tmp_path / "forget.jsonl"), "--model", str(tmp_path / "Tiny")]
    )
    assert done.exit_code == 2
    assert "--forget and --retain go together" in done.output
