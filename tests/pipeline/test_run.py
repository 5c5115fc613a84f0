"""Whole runs on the tiny track: determinism, kills, misbehaving methods, and valid records."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmark.metrics.stages import MODEL_STAGE
from benchmark.records.store import OUTPUTS_SUFFIX, ResultStore
from benchmark.records.validation import Folder, validate

pytestmark = pytest.mark.slow

BAD_METHODS = '''
import os
import torch
from benchmark.api import Method, register_method


@register_method("raises", reference="", family="test", sees=set())
class Raises(Method):
    """Raises."""

    def unlearn(self, model, request):
        raise RuntimeError("no such luck\\nthe last line")


@register_method("gives_nan", reference="", family="test", sees=set())
class GivesNaN(Method):
    """Returns NaN weights."""

    def unlearn(self, model, request):
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return model


@register_method("gives_nothing", reference="", family="test", sees=set())
class GivesNothing(Method):
    """Returns nothing."""

    def unlearn(self, model, request):
        pass


@register_method("leaves", reference="", family="test", sees=set())
class Leaves(Method):
    """Ends the process politely, after changing it for all that come later."""

    def unlearn(self, model, request):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        raise SystemExit(3)


@register_method("random", reference="", family="test", sees=set())
class Random(Method):
    """Draws without a seed of its own."""

    def unlearn(self, model, request):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.01 * torch.randn_like(weight))
        return model


@register_method("dies", reference="", family="test", sees=set())
class Dies(Method):
    """Takes its process with it, as an out-of-memory kill does."""

    def unlearn(self, model, request):
        os.kill(os.getpid(), 9)
'''


def command(folder, *arguments):
    environment = os.environ | {"PALIMPSEST_HOME": str(folder / "home")}
    words = [
        sys.executable,
        "-m",
        "benchmark.cli",
        "run",
        "--suite",
        "smoke",
        "--out",
        str(folder / "out"),
        *arguments,
    ]
    return {
        "args": words,
        "env": environment,
        "cwd": folder,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }


def run(folder, *arguments):
    done = subprocess.run(**command(folder, *arguments), text=True, timeout=500, check=False)
    return done.returncode, done.stdout


def contents(folder):
    """Everything in the records that must be reproducible: all but place and time of the run."""
    found = {}
    for path in sorted((folder / "out").glob("*/*/*/*/*.json")):
        record = json.loads(path.read_text())
        outputs = path.with_suffix(OUTPUTS_SUFFIX)
        weights = record.pop("provenance")["weights"]
        del record["seal"]  # it also covers the provenance
        said = outputs.read_bytes() if record["outputs"] else None
        found[path.relative_to(folder)] = (record, weights, said)
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of a completed run of the suite."""
    folder = tmp_path_factory.mktemp("finished")
    code, output = run(folder)
    assert code == 0, output
    return folder


def test_a_run_makes_every_record_and_all_validate(finished):
    said = [outputs for _, _, outputs in contents(finished).values()]
    assert len(said) == 8
    assert sum(outputs is not None for outputs in said) == 3, "trials keep none, references do"
    assert validate(Folder(ResultStore(finished / "out"))) == []


def test_a_second_run_finds_everything_cached_and_changes_nothing(finished):
    before = {p: p.stat().st_mtime_ns for p in (finished / "out").rglob("*.*")}
    code, output = run(finished)
    assert code == 0
    assert "8 cells, 8 cached, 0 jobs, nothing to run" in output
    assert "nan" not in output, "what cannot be measured so small is a dash"
    assert {p: p.stat().st_mtime_ns for p in (finished / "out").rglob("*.*")} == before


def test_killed_and_resumed_elsewhere_the_records_are_identical(finished, tmp_path):
    """After kill -9 following the first result, no file is half-written, no result is lost, and the
    resumed run gives the same scores.
    """
    process = subprocess.Popen(**command(tmp_path), text=True, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "out").glob("*/*/*/*/*.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    partial = contents(tmp_path)
    assert len(partial) < 8
    time.sleep(2)  # orphaned workers notice that their parent has died
    assert contents(tmp_path).keys() == partial.keys()
    code, output = run(tmp_path)
    assert code == 0, output
    assert contents(tmp_path) == contents(finished)
    assert not [p for p in (tmp_path / "out").rglob("*") if p.name.startswith(".")]


def test_bad_methods_become_error_records_and_the_rest_goes_on(finished, tmp_path):
    (tmp_path / "bad.py").write_text(BAD_METHODS)
    classes = ["Raises", "GivesNaN", "GivesNothing", "Leaves", "Dies"]
    arguments = [word for name in classes for word in ("--method", f"{tmp_path / 'bad.py'}:{name}")]
    code, output = run(finished, *arguments, "--method", "refuse_all", "--seed", "7")
    assert code == 1, output
    errors = {}
    for record in ResultStore(finished / "out").read_all():
        if record.status == "error":
            errors[record.method.name] = record.error.message
            assert record.values == {}
    assert errors["raises"].startswith("RuntimeError: no such luck")
    assert "weights of the returned model are NaN" in errors["gives_nan"]
    assert "returned nothing" in errors["gives_nothing"]
    assert "SystemExit: 3" in errors["leaves"]
    assert "worker process died (exit code -9)" in errors["dies"]
    last = output.strip().splitlines()[-1]
    assert f"5 of 9 cells failed; error records are in {finished / 'out'}" in last
    assert list((finished / "out").glob("*/*/*/refuse_all/*.json"))
    assert validate(Folder(ResultStore(finished / "out"))) == []
    code, output = run(
        finished,
        "--method",
        f"{tmp_path / 'bad.py'}:Raises",
        "--method",
        "refuse_all",
        "--seed",
        "7",
    )
    assert ", 1 jobs," in output, "what failed is tried again, the rest is there"
    assert code == 1
    assert "1 of 5 cells failed" in output.strip().splitlines()[-1]


CHEAT = '''
from benchmark.api import Method, register_method
from benchmark.inference.predictors import ModelPredictor
from benchmark.metrics import values


def patch():
    """Nothing is known any more, wherever it is asked."""
    ModelPredictor.generate = lambda self, prompts, *rest: dict.fromkeys(prompts, "")
    ModelPredictor.score_tokens = lambda self, sequences: [1 / 0]
    ModelPredictor.score = lambda self, pairs: 1 / 0
    values.metric_values = lambda frame, oracles: []


patch()


@register_method("cheat", reference="", family="test", sees=set())
class Cheat(Method):
    """Changes what evaluates it instead of the model."""

    def unlearn(self, model, request):
        patch()
        return model
'''


def test_a_method_that_changes_the_engine_changes_nothing(finished, tmp_path):
    """It gets the outputs and values of the method that does nothing."""
    (tmp_path / "cheat.py").write_text(CHEAT)
    code, output = run(finished, "--method", f"{tmp_path / 'cheat.py'}:Cheat", "--method", "none")
    assert code == 0, output
    by_method = {"cheat": {}, "none": {}}
    for record in ResultStore(finished / "out").read_all():
        if record.method.name in by_method:
            digests = {stage: shard.digest for stage, shard in record.shards.items()}
            # The trial of an anchor keeps more, such as values after attacks.
            values = record.values[MODEL_STAGE]
            by_method[record.method.name][record.variant] = digests, values
    assert by_method["cheat"]
    assert by_method["cheat"] == by_method["none"]


GUARD = """
from dataclasses import dataclass

from benchmark.api import Method, UnlearnedModel, register_method
from benchmark.inference.predictors import ModelPredictor


@dataclass(frozen=True)
class Guard(UnlearnedModel):
    def predictor(self, tokenizer, backend):
        ModelPredictor.generate = lambda self, *rest: 1 / 0
        raise RuntimeError("the guard was here")


@register_method("guarded", reference="", family="test", sees=set())
class Guarded(Method):
    def unlearn(self, model, request):
        return Guard(model)
"""


def test_a_guardrail_whose_code_changes_the_engine_changes_no_other_cell(finished, tmp_path):
    """One worker runs both cells, starting with the guardrail's."""
    (tmp_path / "guard.py").write_text(GUARD)
    guard, alone = ("--method", f"{tmp_path / 'guard.py'}:Guarded"), ("--method", "simnpo")
    found, store = [], ResultStore(finished / "out")
    for methods in (alone, guard + alone):
        code, output = run(finished, *methods, "--seed", "11", "--workers", "1")
        assert code == (methods != alone), output
        records = [r for r in store.read_all() if r.seed == 11]
        found.append({r.method.name: (r.status, r.values) for r in records})
        store.path_of(next(r for r in records if r.method.name == "simnpo")).unlink()
    assert found[1].pop("guarded")[0] == "error"
    assert found[0]["simnpo"][1]
    assert found[0] == found[1]


def test_a_careless_method_repeats_itself_and_harms_no_other(finished, tmp_path):
    """One worker runs all cells: process-wide settings of one method must not affect the next."""
    (tmp_path / "bad.py").write_text(BAD_METHODS)
    methods = (
        "--method",
        f"{tmp_path / 'bad.py'}:Leaves",
        "--method",
        f"{tmp_path / 'bad.py'}:Random",
        "--method",
        "npo",
    )
    found, store = [], ResultStore(finished / "out")
    for _ in range(2):
        code, output = run(finished, *methods, "--seed", "8", "--workers", "1")
        assert code == 1, output
        records = [r for r in store.read_all() if r.seed == 8]
        found.append(
            {r.method.name: (r.status, [v.value for v in r.value_rows()]) for r in records}
        )
        for record in records:
            store.path_of(record).unlink()
    assert found[0] == found[1]
    assert {name: status for name, (status, _) in found[0].items()} == {
        "leaves": "error",
        "random": "ok",
        "npo": "ok",
    }
