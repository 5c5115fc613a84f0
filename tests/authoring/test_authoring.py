"""An author's first steps: a file to start from, and the verdicts of `check` on good and bad
methods.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.authoring.check import check
from benchmark.authoring.new_method import kinds, new_method
from benchmark.core import registry
from benchmark.core.inputs import Inputs
from benchmark.core.registry import method_in
from benchmark.errors import BadInput
from benchmark.execution.run_plan import prepare_worker

pytestmark = pytest.mark.slow
HEAD = """
import os, torch
from benchmark.api import GradientMethod, Method, register_method

@register_method("NAME", reference="", family="test", sees={"forget", "retain"})
"""
LOSS = "return -self.nll(batch.forget).mean() + self.nll(batch.retain).mean()"
# The rule that each method breaks, its code, and a part of the verdict.
BROKEN = {
    "raises": (
        "runs",
        "class C(GradientMethod):\n    def loss(self, batch):\n        return batch.no_such_thing",
        "raises.py:8, in loss",
    ),
    "does_nothing": (
        "changes what the model knows",
        "class C(Method):\n    def unlearn(self, model, request):\n        return model",
        "the model hardly changes",
    ),
    "forgets_its_seed": (
        "is reproducible",
        "class C(GradientMethod):\n    def loss(self, batch):\n"
        "        torch.manual_seed(int.from_bytes(os.urandom(4), 'big'))\n"
        "        return -self.nll(batch.forget).mean() * torch.rand(())",
        "seed every generator",
    ),
    "notices_looks": (
        "can be evaluated along a trajectory",
        "class C(GradientMethod):\n    def loss(self, batch):\n"
        "        kept = 1 if self._watched() else 2\n"
        "        return -kept * self.nll(batch.forget).mean() - 3 * self.nll(batch.retain).mean()\n"
        "    def before(self, request):\n        self.request = request\n"
        "    def _watched(self):\n        return self.request.meter.watch is None",
        "scored between steps",
    ),
    "ignores_retain": (
        "uses the retain set",
        "class C(GradientMethod):\n    def loss(self, batch):\n"
        "        return -self.nll(batch.forget).mean()",
        'declares "retain" in sees',
    ),
    "imports_the_engine": (
        "imports only the API",
        f"class C(GradientMethod):\n    def loss(self, batch):\n"
        f"        import benchmark.training.loop\n        {LOSS}",
        "line 8 imports benchmark.training.loop",
    ),
    "cannot_train_adapters": (
        "trains adapters",
        f"class C(GradientMethod):\n    def loss(self, batch):\n"
        f"        assert not self.lora, 'weights alone'\n        {LOSS}",
        "cannot_train_adapters.py:8, in loss",
    ),
}


ALSO_BROKEN = {
    "does_nothing": {"uses the forget set", "uses the retain set"},
    "forgets_its_seed": {"can be evaluated along a trajectory"},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    prepare_worker()
    return Inputs(tmp_path_factory.mktemp("home"))


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """Keeps the methods that these files register local to each test."""
    registry.methods()
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))


def verdicts(path, inputs):
    return {verdict.rule: verdict for verdict in check(method_in(str(path)), inputs)}


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_new_method_passes_as_it_is_written(kind, inputs, tmp_path):
    path = new_method(f"mine_{kind.replace('-', '_')}", kind, tmp_path)
    found = verdicts(path, inputs)
    assert [rule for rule, verdict in found.items() if not verdict.passed] == []
    assert len(found) >= 7
    assert "loss" in found["changes what the model knows"].detail


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_method_is_told_which_rule_it_breaks(name, inputs, tmp_path):
    rule, code, message = BROKEN[name]
    path = tmp_path / f"{name}.py"
    path.write_text(HEAD.replace("NAME", name) + code + "\n")
    found = verdicts(path, inputs)
    assert not found[rule].passed
    assert message in found[rule].detail
    others = {r for r, verdict in found.items() if not verdict.passed} - {rule}
    assert others <= ALSO_BROKEN.get(name, set())


def test_a_name_that_is_taken_or_no_name_is_bad_input(tmp_path):
    for name, message in (("npo", "already exists"), ("My-Method", "a name starts with")):
        with pytest.raises(BadInput, match=message):
            new_method(name, "loss", tmp_path)
    with pytest.raises(BadInput, match="did you mean loss"):
        new_method("mine", "los", tmp_path)
    new_method("mine", "loss", tmp_path)
    with pytest.raises(BadInput, match="exists already"):
        new_method("mine", "hidden", tmp_path)


def test_a_file_with_two_methods_has_to_be_told_which(tmp_path):
    path = tmp_path / "two.py"
    head = HEAD.replace("NAME", "first_of_two")
    second = HEAD.replace("NAME", "second_of_two").partition("\n\n")[2]
    body = "(Method):\n    pass\n"
    path.write_text(f"{head}class A{body}\n{second}class B{body}")
    with pytest.raises(BadInput, match="A, B; name one, e"):
        method_in(str(path))
    assert method_in(f"{path}:A") == f"{path}:A"
    with pytest.raises(BadInput, match="is not a file"):
        method_in("nowhere.py")


def test_the_commands_speak_in_lines_and_exit_codes(tmp_path):
    def palimpsest(*words):
        command = [sys.executable, "-m", "benchmark.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    code, output, _ = palimpsest("new-method", "mine")
    assert (code, output) == (0, "wrote mine.py; next: palimpsest check mine.py\n")
    assert palimpsest("new-method", "mine")[0] == 2
    file = Path(tmp_path / "mine.py")
    file.write_text(file.read_text().replace("return forget", "return forgot"))
    code, output, _ = palimpsest("check", "mine.py")
    assert code == 1
    assert "ok   imports only the API" in output
    assert "FAIL runs: NameError: name 'forgot' is not defined" in output
    assert "(mine.py:16, in loss)" in output
