"""`palimpsest evaluate`: scores a checkpoint from any source and ranks nothing."""

import gzip
import json
import re

import pytest
from safetensors.torch import load_file, save_file
from toy_models import tiny_model, tiny_tokenizer
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput
from benchmark.models.loading import load_tokenizer
from benchmark.models.pretrained import models_named, source_of
from benchmark.pipeline.score_checkpoint import evaluate as score_checkpoint
from tasks.real_entities.task import RealEntities, rows

TOWNS = ("Malport", "Kel", "Bren", "Tor", "Ivo", "Ada", "Union", "Mal", "Port", "Elk", "Orm", "Usk")


@pytest.fixture(autouse=True)
def own_questions(tmp_path, monkeypatch):
    """Writes two model folders and user-supplied questions."""
    for seed, name in enumerate(("Tiny", "Other")):
        tiny_model(seed).save_pretrained(tmp_path / name)
        tiny_tokenizer().save_pretrained(tmp_path / name)
    for side, count in (("forget", 6), ("retain", 12)):
        rows = [
            {"question": f"Where is {side} {i}?", "answer": TOWNS[i], "subject": f"{side} {i}"}
            for i in range(count)
        ]
        path = tmp_path / f"{side}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))
    source_of.cache_clear()


@pytest.fixture
def inputs(tmp_path):
    own = {side: tmp_path / f"{side}.jsonl" for side in ("forget", "retain")}
    return Inputs(tmp_path / "home", **own)


@pytest.fixture
def evaluate(inputs):
    """Function that scores a model on a task, with these questions."""
    return lambda model, task, reference=None, **more: score_checkpoint(
        model, task, inputs, reference, **more
    )


def values(found):
    return {(v.split, v.metric): v for v in found.values if v.stratum == "all"}


def test_values_are_those_of_all_rows_or_of_the_first_few(tmp_path, evaluate):
    whole, few = (evaluate(str(tmp_path / "Tiny"), "custom", limit=limit) for limit in (None, 2))
    assert values(whole)["forget", "probability"].n_scored == 6
    assert values(few)["forget", "probability"].n_scored == 2
    assert whole.data_fingerprint == few.data_fingerprint
    assert set(whole.seconds) == {"data", "loading", "scoring pass", "generation", "metrics"}


def test_forget_quality_compares_with_the_reference(tmp_path, evaluate):
    model = str(tmp_path / "Tiny")
    alone, itself, other = (
        values(evaluate(model, "custom", reference))
        for reference in (None, model, str(tmp_path / "Other"))
    )
    key = ("forget", "forget_quality")
    assert alone[key].value != alone[key].value, "nothing to compare with"
    assert itself[key].value == pytest.approx(1)
    assert other[key].value < 1


def test_the_command_prints_where_the_time_went_and_writes_json(tmp_path):
    done = CliRunner().invoke(
        app,
        [
            *(*words_of("evaluate", tmp_path), "--limit", "3", "--threads", "1"),
            *(
                "--reference",
                str(tmp_path / "Other"),
                "--json",
                str(tmp_path / "out" / "found.json"),
            ),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "nothing is ranked, 3 rows of each split" in done.output
    assert "scoring pass" in done.output
    assert "pass it as `--reference`" not in done.output
    content = json.loads((tmp_path / "out" / "found.json").read_text())
    assert (content["ranked"], content["limit"], content["task"]) == (False, 3, "custom")
    assert any(v["metric"] == "truth_ratio" for v in content["values"])
    assert content["precision"] == "float32"
    assert content["generation"]["backend"] == "hf"
    assert content["source"]["kind"] == "path"


def test_what_needs_a_reference_is_a_dash_without_one(tmp_path):
    done = CliRunner().invoke(app, [*words_of("evaluate", tmp_path), "--limit", "2"])
    assert done.exit_code == 0, done.output
    assert "nan" not in done.output
    assert "pass it as `--reference`" in done.output


def test_an_adapter_alone_is_no_model(tmp_path, evaluate):
    folder = tmp_path / "Tiny"
    (folder / "config.json").rename(folder / "adapter_config.json")
    with pytest.raises(BadInput, match="found only an adapter"):
        evaluate(str(folder), "custom")


def test_a_run_whose_model_cannot_be_asked_is_bad_input(tmp_path, monkeypatch):
    def refuses(task, track, inputs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("benchmark.cli.knowledge.probe_with_progress", refuses)
    words = [
        "run",
        "--model",
        str(tmp_path / "Tiny"),
        "--task",
        "real_entities_small",
        "--method",
        "npo",
    ]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "out of memory" in done.output


def test_bfloat16_is_close_to_float32(tmp_path, evaluate):
    model = str(tmp_path / "Tiny")
    exact, rough = (values(evaluate(model, "custom", precision=p)) for p in ("float32", "bfloat16"))
    assert rough["forget", "probability"].value == pytest.approx(
        exact["forget", "probability"].value, abs=0.05
    )
    assert rough["forget", "probability"].value != exact["forget", "probability"].value


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        ("controlled-1m", "custom", "is trained by the benchmark itself"),
        ("org/name", "custom", "neither a folder nor org/name@revision"),
        ("Tiny", "real_entities", "name one variant, e.g. real_entities/low"),
        ("Tiny", "cusom", "did you mean custom"),
        (
            "Tiny",
            "real_entities/low",
            "run `palimpsest probe --task real_entities --track /.*/Tiny`",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, model, task, message, evaluate):
    spec = str(tmp_path / model) if model == "Tiny" else model
    with pytest.raises(BadInput, match=message):
        evaluate(spec, task)


@pytest.fixture
def probed_home(tmp_path, inputs):
    """Probe results: the model `Other` knows every fourth fact, and `Tiny` was never probed."""
    other = models_named(str(tmp_path / "Other"), inputs)
    path = other.data_source.knowledge_file("real_entities")
    path.parent.mkdir(parents=True)
    known = "".join(f"{row.id},1.0,0.{5 + i % 4}\n" for i, row in enumerate(rows()) if i % 4 == 0)
    path.write_text(f"id,generated,probability\n{known}")


def test_an_unlearned_model_is_asked_what_the_original_knew(tmp_path, probed_home, evaluate):
    models = [str(tmp_path / name) for name in ("Tiny", "Other")]
    found = [
        evaluate(model, "real_entities_small", original=models[1], limit=2) for model in models
    ]
    assert found[0].data_fingerprint == found[1].data_fingerprint
    with pytest.raises(BadInput, match="this model's knowledge has not been probed"):
        evaluate(models[0], "real_entities_small", limit=2)


@pytest.mark.parametrize(("samples", "largest"), [(0, 0), (5, 4), (64, 64)])
def test_answers_are_drawn_for_leaks_as_many_as_are_wanted(tmp_path, samples, largest, evaluate):
    found = values(evaluate(str(tmp_path / "Tiny"), "custom", limit=2, samples=samples))
    leaks = [int(name.removeprefix("leak_at_")) for _, name in found if name.startswith("leak_at_")]
    assert max(leaks, default=0) == largest


def test_a_run_asks_first_what_a_new_model_knows_and_a_plan_says_that_it_will(
    tmp_path, monkeypatch, inputs
):
    """The model knows none of the facts, so the run ends after probing it."""
    few = RealEntities().candidates()[:3]
    monkeypatch.setattr(RealEntities, "candidates", lambda self: few)
    words = ["--model", str(tmp_path / "Tiny"), "--task", "real_entities_small", "--method", "npo"]
    planned, ran = (
        CliRunner().invoke(app, [command, *words, "--out", str(tmp_path)])
        for command in ("plan", "run")
    )
    assert (planned.exit_code, ran.exit_code) == (0, 2)
    assert "(`palimpsest run` does so automatically)" in planned.output
    assert "knows 0 facts in every bucket" in ran.output
    models = models_named(str(tmp_path / "Tiny"), inputs)
    assert set(models.data_source.known("real_entities", tmp_path)) == {
        example.id for example in few
    }


def test_a_limit_is_one_for_the_harness_too(tmp_path, monkeypatch, evaluate):
    asked = []
    monkeypatch.setattr(
        "benchmark.evaluation.general_utility.run_harness",
        lambda s, group, limit: asked.append(limit) or [],
    )
    evaluate(str(tmp_path / "Tiny"), "custom", limit=2, harness="palimpsest")
    assert asked == [2]
    with pytest.raises(BadInput, match="did you mean palimpsest"):
        evaluate(str(tmp_path / "Tiny"), "custom", limit=2, harness="palimpset")


def test_questions_of_ones_own_can_be_named_beside_the_model(tmp_path, monkeypatch):
    files = [f"--{side}={tmp_path / f'{side}.jsonl'}" for side in ("forget", "retain")]
    for side in ("forget", "retain"):
        monkeypatch.setenv(f"PALIMPSEST_{side.upper()}", "nowhere")
    words = ["evaluate", "--model", str(tmp_path / "Tiny"), "--task", "custom", "--limit", "2"]
    assert CliRunner().invoke(app, [*words, *files]).exit_code == 0
    done = CliRunner().invoke(app, ["plan", "--suite", "smoke", *files])
    assert done.exit_code == 2
    assert "has no task custom" in done.output


@pytest.mark.parametrize(
    "broken", ["config.json", "config.json:{}", "model.safetensors", "tokenizer.json"]
)
def test_what_a_library_says_of_a_broken_model_is_one_line(tmp_path, broken):
    name, _, content = broken.partition(":")
    (tmp_path / "Tiny" / name).write_text(content or "{")
    done = CliRunner().invoke(app, words_of("evaluate", tmp_path))
    assert done.exit_code == 2
    assert f"palimpsest: model {tmp_path}" in done.output
    assert len(done.output.strip().splitlines()) == 1


def one_line(done):
    """Asserts that a command ended with exit code 2 and one line on stderr; returns that line."""
    assert done.exit_code == 2, done.output
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def words_of(command, tmp_path):
    own = {side: str(tmp_path / f"{side}.jsonl") for side in ("forget", "retain")}
    task = (
        ("--task", "custom")
        if command == "evaluate"
        else ("--method", "npo", "--out", str(tmp_path / "out"))
    )
    questions = [word for side, path in own.items() for word in (f"--{side}", path)]
    return [command, "--model", str(tmp_path / "Tiny"), *questions, *task]


NASTY = {
    "number": (b'{"question": %s}' % (b"9" * 5000), "line 1: found a number of 5000 digits"),
    "nesting": (
        b'{"question": ' + b"[" * 100_000,
        "line 1: found lists or objects nested more than 20 deep",
    ),
    "nul": (
        rb'{"question": "Is Kel\u0000 there?", "answer": "a", "subject": "Kel"}',
        "line 1: question: found U+0000 <control> as character 7",
    ),
    "zero width": (
        rb'{"question": "Is Kel\u200b there?", "answer": "a", "subject": "Kel"}',
        "line 1: question: found U+200B ZERO WIDTH SPACE",
    ),
    "surrogate": (
        rb'{"question": "Is Kel\ud800 there?"}',
        "line 1: found U+D800 in the field 'question'",
    ),
    "name of a field": (rb'{"que\nstion": 1}', "line 1: 'que\\nstion': unknown field"),
    "UTF-16": ('{"question": "Is Kel there?"}\n'.encode("utf-16"), "line 1: byte 1 is not UTF-8"),
    "gzip": (gzip.compress(b'{"question": "Is Kel there?"}\n'), "line 1: byte 2 is not UTF-8"),
    "huge line": (b"a" * 10_000_000, "line 1: not valid JSON at character 1: Expecting value"),
}


@pytest.mark.parametrize("command", ["evaluate", "run"])
@pytest.mark.parametrize(("first", "message"), NASTY.values(), ids=NASTY)
def test_a_file_of_questions_that_cannot_be_used_is_one_line(tmp_path, first, message, command):
    path = tmp_path / "forget.jsonl"
    path.write_bytes(first + b"\n" + path.read_bytes())
    line = one_line(CliRunner().invoke(app, words_of(command, tmp_path))).strip()
    assert f"{path}: {message}" in line
    assert len(line) < 350 + len(str(path))


def test_a_world_task_is_no_task_for_a_pretrained_model(tmp_path, evaluate):
    with pytest.raises(BadInput, match="fictitious needs a world"):
        evaluate(str(tmp_path / "Tiny"), "fictitious")


def test_what_a_suite_lacks_is_said_for_each_variant(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = CliRunner().invoke(
        app, ["plan", "--suite", "hub", "--track", "pythia-1.4b", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    lines = [line for line in done.output.splitlines() if "cannot be run here" in line]
    assert len(lines) == 8
    assert all("EleutherAI/pythia-1.4b" in line for line in lines)


def test_questions_to_forget_come_with_questions_to_keep(tmp_path):
    done = CliRunner().invoke(
        app, ["plan", "--forget", str(tmp_path / "forget.jsonl"), "--model", str(tmp_path / "Tiny")]
    )
    assert done.exit_code == 2
    assert "--forget and --retain go together" in done.output


def poisoned(folder, value=float("nan")):
    """Sets one weight of the model in the folder to `value`."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["model.layers.1.mlp.up_proj.weight"][0, 0] = value
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize("command", ["evaluate", "run"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_an_error_that_names_them(tmp_path, command, value):
    poisoned(tmp_path / "Tiny", value)
    said = one_line(CliRunner().invoke(app, words_of(command, tmp_path)))
    assert "model.layers.1.mlp.up_proj.weight has 1 NaN or infinite values of 512" in said


@pytest.mark.parametrize("command", ["evaluate", "run"])
def test_examples_longer_than_the_models_positions_are_counted_before_anything_runs(
    tmp_path, command
):
    path = tmp_path / "forget.jsonl"
    long = {
        "question": "Where is forget 9? " + "Well? " * 200,
        "answer": "Kel",
        "subject": "forget 9",
    }
    path.write_text(
        path.read_text()
        + json.dumps(long)
        + "\n"
        + json.dumps(long | {"question": long["question"] * 2})
    )
    said = one_line(CliRunner().invoke(app, words_of(command, tmp_path)))
    assert re.search(
        r"example .*forget.0008 needs \d{4} tokens, there is room for 512 \(\d+ of \d+ "
        r"examples",
        said,
    )
    assert not (tmp_path / "out").exists()


def test_a_reference_with_too_few_positions_is_refused_as_well(tmp_path, evaluate):
    config = tmp_path / "Other" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 40}))
    with pytest.raises(BadInput, match=r"Other: example .* there is room for 40 "):
        evaluate(str(tmp_path / "Tiny"), "custom", str(tmp_path / "Other"))


def test_an_architecture_that_cannot_be_built_is_one_line(tmp_path):
    (tmp_path / "Tiny" / "config.json").write_text(
        json.dumps({"model_type": "dbrx", "n_layers": 2})
    )
    said = one_line(CliRunner().invoke(app, words_of("evaluate", tmp_path)))
    assert "Tiny" in said


def test_an_end_token_in_the_configuration_alone_is_enough(tmp_path, evaluate):
    before = values(evaluate(str(tmp_path / "Tiny"), "custom"))
    config = tmp_path / "Tiny" / "tokenizer_config.json"
    config.write_text(
        json.dumps({k: v for k, v in json.loads(config.read_text()).items() if k != "eos_token"})
    )
    source_of.cache_clear()
    assert load_tokenizer(tmp_path / "Tiny").eos_token_id is None
    after = values(evaluate(str(tmp_path / "Tiny"), "custom"))
    assert {k: v.value for k, v in after.items()} == pytest.approx(
        {k: v.value for k, v in before.items()}, nan_ok=True
    )


@pytest.mark.parametrize("command", ["evaluate", "run"])
def test_weights_that_are_not_in_the_files_are_an_error(tmp_path, command):
    """They would be random, and a model that knows nothing looks perfectly unlearned."""
    path = tmp_path / "Tiny" / "model.safetensors"
    save_file(
        {f"module.{name}": tensor for name, tensor in load_file(path).items()},
        path,
        metadata={"format": "pt"},
    )
    said = one_line(CliRunner().invoke(app, words_of(command, tmp_path)))
    assert re.search(r"Tiny: \d+ weights are not in its files, first \S+", said)
