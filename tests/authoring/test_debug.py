"""The output of `debug` for a run, and that the run is the same with and without it."""

import math

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from benchmark.authoring.debug import RESULT, STEP, TARGET, follow, single_cell
from benchmark.cli import app
from benchmark.core import registry
from benchmark.core.inputs import Inputs
from benchmark.core.registry import method_in
from benchmark.errors import BadInput
from benchmark.execution.run_plan import prepare_worker
from benchmark.inference.unlearned import as_unlearned, weights_digest
from benchmark.models.artifacts import ArtifactStore
from benchmark.pipeline.checkpoints import Checkpoints
from benchmark.pipeline.planner import Planner
from benchmark.pipeline.unlearn import request_of, run_of, unlearn
from benchmark.records.store import ResultStore
from benchmark.reports.training_course import course_frame
from benchmark.tokens.batches import collate
from benchmark.tokens.losses import answer_nll

pytestmark = pytest.mark.slow
TRACK, STEPS = "tiny-dev", 4
METHOD = '''
import torch
from benchmark.api import Method, register_method

@register_method("NAME", reference="", family="test", sees={"forget"})
class Mine(Method):
    """Shrinks the weights in a loop of its own."""

    def unlearn(self, model, request):
        for step in range(3):
            with torch.no_grad():
                for weight in model.parameters():
                    weight.mul_(0.5)
            request.meter.step(model, 1)
            LAST
        return model
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    prepare_worker()
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """Keeps the methods that these files register local to each test."""
    registry.methods()
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))


@pytest.fixture
def mine(tmp_path):
    def write(name, last="pass"):
        path = tmp_path / f"{name}.py"
        path.write_text(METHOD.replace("NAME", name).replace("LAST", last))
        return path

    return write


def run_for(method, task, home):
    suite = single_cell(method, TRACK, task)
    plan = Planner(Inputs(home), ResultStore(home / "nowhere")).plan(suite, force=True)
    job = plan.jobs[-1]
    return run_of(job.cells[0], job.variant)


def followed(method, task, home):
    run, target = run_for(method, task, home)
    moments = []
    result = follow(run, target, moments.append)
    return run, result, moments


@pytest.mark.parametrize(
    ("method", "task"),
    [("grad_diff", "fictitious"), ("npo_sam", "fictitious"), ("npo", "continual/2")],
)
def test_the_weights_are_those_of_a_run_without_it(method, task, home, tmp_path):
    _, result, moments = followed(method, task, home)
    run, target = run_for(method, task, home)
    before = weights_digest(target)
    checkpoints = Checkpoints(ArtifactStore(tmp_path), "cell")
    unlearn(run, target, checkpoints)
    progress = checkpoints.load()
    digests = [weights_digest(as_unlearned(one).weights) for one in (result, progress.result)]
    assert digests[0] == digests[1] != before
    assert progress.steps == sum(moment.at == STEP for moment in moments)


def test_a_pair_of_losses_is_shown_as_the_method_computes_it(home):
    """At the first step, these are the target's mean losses per token on the first batch."""
    run, _, moments = followed("gru", "fictitious", home)
    _, target = run_for("gru", "fictitious", home)
    batch = next(request_of(run, 0, {}, None).batches())
    with torch.no_grad():
        forget, retain = (
            float(answer_nll(target, collate(pairs, run.tokenizer, target), True).mean())
            for pairs in batch
        )
    first = next(moment for moment in moments if moment.at == STEP)
    assert (first.forget_loss, first.retain_loss) == pytest.approx((-forget, retain), rel=1e-5)
    assert math.isnan(first.loss)
    assert first.gradient_norm > 0


def test_probabilities_are_those_of_answers_and_stand_at_every_look(home):
    run, _, moments = followed("grad_diff", "fictitious", home)
    _, target = run_for("grad_diff", "fictitious", home)
    pairs = [example.pair for example in run.variant.data.examples("forget")][::2]  # 60 of 120
    with torch.no_grad():
        nll = answer_nll(target, collate(pairs, run.tokenizer, target), per_token=True)
    assert [moment.at for moment in moments] == [TARGET, *[STEP] * STEPS, RESULT]
    assert [moment.step for moment in moments] == [0, 1, 2, 3, 4, 4]
    assert len(run.variant.data.examples("forget")) == 120
    assert moments[0].forget_probability == pytest.approx(float((-nll).exp().mean()), rel=1e-4)
    assert all(0 < moment.retain_probability < 1 for moment in moments)
    assert moments[-1].forget_probability == moments[-2].forget_probability
    assert not any(math.isnan(moment.loss) for moment in moments if moment.at == STEP)


def test_requests_follow_each_other(home):
    _, _, moments = followed("npo", "continual/2", home)
    results = [moment for moment in moments if moment.at == RESULT]
    assert [moment.request for moment in results] == [1, 2]
    steps = [moment.step for moment in moments if moment.at == STEP]
    assert steps == list(range(1, results[-1].step + 1))


def test_a_method_without_a_loss_shows_steps_and_probabilities(home, mine):
    _, _, moments = followed(method_in(str(mine("own_loop"))), "fictitious", home)
    frame = course_frame(moments)
    assert list(frame["at"]) == [TARGET, STEP, STEP, STEP, RESULT]
    losses = frame[["loss", "forget_loss", "retain_loss", "gradient_norm"]]
    assert losses.isna().all(axis=None)
    assert frame["forget_probability"].notna().all()


def test_a_guardrail_shows_what_is_known_before_and_behind_it(home):
    _, _, moments = followed("refuse_all", "fictitious", home)
    assert [moment.at for moment in moments] == [TARGET, RESULT]
    assert moments[0].forget_probability != moments[1].forget_probability


def test_a_task_of_several_variants_is_bad_input():
    with pytest.raises(BadInput, match=r"has 3 variants; name one, e\.g\. frequency/"):
        single_cell("npo", TRACK, "frequency")


def debug(*words, home):
    environment = {"PALIMPSEST_HOME": str(home)}
    return CliRunner().invoke(app, ["debug", *words, "--track", TRACK], env=environment)


def test_the_command_writes_all_numbers_and_a_figure_that_needs_no_network(home, tmp_path):
    done = debug("gru", "--out", str(tmp_path), home=home)
    assert done.exit_code == 0, done.output
    assert "forget loss" in done.stdout
    stem = tmp_path / f"gru-{TRACK}-fictitious"
    table = pd.read_csv(stem.with_suffix(".csv"))
    assert list(table["step"]) == [0, 1, 2, 3, 4, 4]
    page = stem.with_suffix(".html").read_text()
    assert "<script src" not in page
    assert "Plotly.newPlot" in page
    assert '"name":"forget loss"' in page
    assert not list(tmp_path.rglob("*.json"))


def test_what_was_seen_before_an_error_is_kept(home, mine, tmp_path):
    path = mine("breaks", last="assert step < 1, 'no further'")
    done = debug(str(path), "--out", str(tmp_path), home=home)
    assert done.exit_code == 1
    assert "AssertionError: no further (breaks.py:15, in unlearn)" in done.stderr
    table = pd.read_csv(tmp_path / f"breaks-{TRACK}-fictitious.csv")
    assert list(table["step"]) == [0, 1, 2]
