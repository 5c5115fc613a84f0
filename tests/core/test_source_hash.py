"""The hash of a method's code changes with what affects an outcome, and with nothing else."""

import sys
from pathlib import Path

import pytest

from benchmark.core import registry, source_hash
from benchmark.core.registry import method_named, methods
from benchmark.training.gradient_method import GradientMethod

OUTSIDE = '''
"""A file of somebody's own."""
import math
from typing import ClassVar
from benchmark.api import GradientMethod, logsigmoid, register_method
from methods._shared.refusals import refusals

SCALE = 2.0
TABLE = {"a": 1}
TABLE["b"] = 2
UNUSED = 1
START = 5.0

def helper(x):
    """Doubles."""
    return SCALE * x

def unused(x):
    return x

class Small:
    """No method: its values are no parameters."""
    size: int = 3

@register_method("outside", reference="", family="test", sees={"forget"})
class Mine(GradientMethod):
    """Mine."""
    power: float = START
    STEPS: ClassVar[int] = 5

    def loss(self, batch):
        said = refusals(Small().size)
        return helper(self.nll(batch.forget).mean()) ** self.power * TABLE["a"] * math.pi

@register_method("next_to_it", reference="", family="test", sees={"forget"})
class Other(GradientMethod):
    width: float = 1.0

    def loss(self, batch):
        return logsigmoid(self.nll(batch.forget)).mean()

@register_method("built_on_it", reference="", family="test", sees={"forget"})
class Built(Mine):
    def loss(self, batch):
        return super().loss(batch) + Other(width=2.0).width
'''


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """Undoes the registrations of each test and clears the cached hashes and sources."""
    monkeypatch.setattr(registry, "_METHODS", dict(methods()))
    yield
    forget_files()


def forget_files():
    source_hash._hash.cache_clear()
    source_hash._source.cache_clear()


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """`outside(class, old, new)`: the hash of a class in the file above after a replacement."""
    count = iter(range(100))

    def hash_of(name="Mine", old="", new=""):
        assert old in OUTSIDE
        monkeypatch.setattr(registry, "_METHODS", dict(methods()))
        for known in ("outside", "next_to_it", "built_on_it"):
            registry._METHODS.pop(known, None)
        path = tmp_path / f"file{next(count)}.py"
        path.write_text(OUTSIDE.replace(old, new, 1) if old else OUTSIDE)
        return source_hash.source_hash(method_named(f"{path}:{name}"))

    return hash_of


@pytest.fixture
def hashes(tmp_path, monkeypatch):
    """`hashes(module, old, new)`: the hashes of all methods in the tree, one module changed."""

    def with_change(module="methods.none", old="", new=""):
        own = sys.modules[module]
        text = Path(own.__file__).read_text()
        assert old in text
        path = tmp_path / f"{module}.py"
        path.write_text(text.replace(old, new, 1))
        forget_files()
        with monkeypatch.context() as patch:
            patch.setattr(own, "__file__", str(path))
            return {name: source_hash.source_hash(cls) for name, cls in methods().items()}

    return with_change


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


REFUSING = {"idk", "idk_ap", "dpo", "flat"}
GRADIENT = {name for name, cls in methods().items() if issubclass(cls, GradientMethod)}


@pytest.mark.parametrize(
    ("module", "old", "new", "expected"),
    [
        ("methods.sga", "self.tuning_rate", "self.tuning_rate / 2", {"tau"}),
        ("methods.sga", "return -self.nll", "return -2 * self.nll", {"sga", "tau"}),
        ("methods.sga", "tuning_rate: float = 2e-4", "tuning_rate: float = 3e-4", set()),
        ("methods.sga", "threshold: float = 0.5", "threshold: float = 0.6", set()),
        ("methods.sga", "threshold: float", "bound: float", {"sga", "tau"}),
        ("methods._shared.refusals", "I cannot say.", "No idea.", REFUSING),
        ("methods._shared.refusals", "i % len", "-i % len", REFUSING),
        ("methods._shared.refusals", "def refusals", "MORE = 1\n\n\ndef refusals", set()),
        ("benchmark.training.gradient_method", "TREE_PAIRS = 16", "TREE_PAIRS = 8", GRADIENT),
        ("benchmark.training.gradient_method", "len(words) // 2", "len(words) // 3", GRADIENT),
        (
            "benchmark.training.gradient_method",
            "learning_rate: float = 1e-3",
            "learning_rate: float = 1",
            set(),
        ),
        (
            "benchmark.training.gradient_method",
            "from benchmark.tokens.losses import",
            "from benchmark.tokens.moved import",
            set(),
        ),
        ("benchmark.core.method", "asdict(self)", "asdict(self) | {}", set(methods())),
        ("benchmark.core.method", "def create", "LIMIT = 3\n\n\ndef create", set()),
    ],
)
def test_a_change_changes_the_methods_that_it_reaches(hashes, module, old, new, expected):
    assert changed(hashes(), hashes(module, old, new)) == expected


def test_every_method_has_a_hash_of_its_own(hashes):
    found = hashes()
    assert len(set(found.values())) == len(methods())
    assert all(len(value) == 16 for value in found.values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 2.0", "SCALE = 3.0"),
        ("SCALE * x", "SCALE + x"),
        ('TABLE["b"] = 2', 'TABLE["b"] = 3'),
        ('TABLE["b"] = 2', "TABLE.clear()"),
        ('TABLE["b"] = 2', "if SCALE:\n    TABLE = {}"),
        ("size: int = 3", "size: int = 4"),
        ("STEPS: ClassVar[int] = 5", "STEPS: ClassVar[int] = 6"),
        ("import math", "import cmath as math"),
        ("power: float", "power: int"),
        ('sees={"forget"}', 'sees={"forget", "retain"}'),
    ],
)
def test_what_a_method_uses_of_its_file_is_part_of_it(outside, old, new):
    assert outside("Mine", old, new) != outside("Mine")
    assert outside("Built", old, new) != outside("Built")
    assert outside("Other", old, new) == outside("Other")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("UNUSED = 1", "UNUSED = 2"),
        ("return x", "return -x"),
        ("Doubles.", "Doubles what it is given."),
        ("Mine.", "Yours."),
        ('"""A file', '"""The file'),
        ("    return SCALE", "    # why\n    return SCALE"),
        ("SCALE * x", "(SCALE  *  x)"),
        ("power: float = START", "power: float = 4.0"),
        ("START = 5.0", "START = 6.0"),
        ("logsigmoid(self", "2 * (self"),
    ],
)
def test_nothing_else_is(outside, old, new):
    assert outside("Mine", old, new) == outside("Mine")


def test_the_defaults_of_another_method_that_is_used_are_values_like_any_other(outside):
    change = ("width: float = 1.0", "width: float = 5.0")
    assert outside("Other", *change) == outside("Other")
    assert outside("Built", *change) != outside("Built")


IMPORTS = {
    "from methods._shared.refusals import refusals": "refusals",
    "from methods._shared import refusals as kept": "kept.refusals",
    "import methods._shared.refusals": "methods._shared.refusals.refusals",
    "import methods._shared.refusals as kept": "kept.refusals",
}


@pytest.mark.parametrize("line", IMPORTS)
def test_what_is_shared_is_found_however_it_is_imported(outside, tmp_path, monkeypatch, line):
    text = OUTSIDE.replace("from methods._shared.refusals import refusals", line)
    monkeypatch.setitem(globals(), "OUTSIDE", text.replace("= refusals(", f"= {IMPORTS[line]}("))
    before, other = outside("Mine"), outside("Other")
    shared = sys.modules["methods._shared.refusals"]
    edited = Path(shared.__file__).read_text().replace("I cannot say.", "No idea.")
    (tmp_path / "edited.py").write_text(edited)
    forget_files()
    monkeypatch.setattr(shared, "__file__", str(tmp_path / "edited.py"))
    assert outside("Mine") != before
    assert outside("Other") == other


def test_order_and_place_of_a_file_change_nothing(outside):
    """The fixture writes each copy to a different file."""
    assert outside() == outside()
    constants = 'SCALE = 2.0\nTABLE = {"a": 1}\nTABLE["b"] = 2\n'
    swapped = 'TABLE = {"a": 1}\nTABLE["b"] = 2\nSCALE = 2.0\n'
    assert outside("Mine", constants, swapped) == outside()


def test_a_class_that_a_function_makes_counts_with_all_of_the_function():
    class Local(GradientMethod):
        def loss(self, batch):
            return self.nll(batch.forget).mean()

    def other():
        class Local(GradientMethod):
            pass

        return Local

    assert source_hash.source_hash(Local) == source_hash.source_hash(other())
    assert source_hash.source_hash(Local) != source_hash.source_hash(methods()["sga"])
