"""Discovery: names, near misses, collisions, and methods defined outside the source tree."""

from pathlib import Path

import pytest

from benchmark.core import registry
from benchmark.core.method import Method, create
from benchmark.errors import BadInput

OUTSIDE = '''
from benchmark.api import GradientMethod, register_method

@register_method("{name}", reference="", family="test", sees={{"forget"}})
class Mine(GradientMethod):
    """Mine."""
    power: float = 2.0

    def loss(self, batch):
        return -self.nll(batch.forget).mean() ** self.power
'''


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """Undoes the registrations of each test."""
    monkeypatch.setattr(registry, "_METHODS", dict(registry.methods()))


def write(tmp_path, name, text=OUTSIDE):
    path = tmp_path / f"{name}.py"
    path.write_text(text.format(name=name))
    return f"{path}:Mine"


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(BadInput, match=r"unknown method 'grad_dif'; did you mean grad_diff"):
        registry.method_named("grad_dif")
    with pytest.raises(BadInput, match="unknown task 'freqency'; did you mean frequency"):
        registry.task_named("freqency")
    with pytest.raises(BadInput, match=r"known: .*npo"):
        registry.method_named("zzzzzz")


def test_a_method_from_a_file_has_its_parameters_checked(tmp_path):
    cls = registry.method_named(write(tmp_path, "outside_a"))
    expected = {"learning_rate": 1e-3, "lora": False, "stop_share": None, "power": 3.0}
    assert create(cls, {"power": 3}).parameters == expected
    with pytest.raises(
        BadInput, match=r"parameter pwer: .*parameters: learning_rate, lora, stop_share, power"
    ):
        create(cls, {"pwer": 3})
    with pytest.raises(BadInput, match=r"parameter power: .*number"):
        create(cls, {"power": "much"})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.py:Mine", "is not a file"),
        ("{tmp}/broken.py:Mine", "raised ZeroDivisionError"),
        ("{tmp}/fine.py:Other", "no class 'Other' .*defines Mine"),
        ("{tmp}/plain.py:Mine", "lacks @register_method"),
        ("{tmp}/npo.py:Mine", "'npo' is defined twice"),
        ("{tmp}/oracle.py:Mine", "this name is reserved"),
        ("{tmp}/path.py:Mine", "use only a-z"),
        ("{tmp}/leaves.py:Mine", "raised SystemExit"),
        ("{tmp}/nosy.py:Mine", r"unknown .sees. \['evaluation'\]"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, spec, message):
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)")
    write(tmp_path, "path", OUTSIDE.replace("{name}", "../../evil"))
    (tmp_path / "plain.py").write_text("class Mine: pass")
    write(tmp_path, "fine", OUTSIDE.replace("{name}", "fine_one"))
    write(tmp_path, "npo")
    write(tmp_path, "oracle")
    write(tmp_path, "nosy", OUTSIDE.replace('"forget"', '"evaluation"'))
    with pytest.raises(BadInput, match=message) as caught:
        registry.method_named(spec.format(tmp=tmp_path))
    assert "\n" not in str(caught.value)


ROOT = Path(__file__).resolve().parents[2]


def test_a_file_of_the_tree_is_the_method_that_it_registers():
    path = Path(registry.methods()["npo"].__module__.replace(".", "/")).with_suffix(".py")
    assert registry.method_named(f"{ROOT / path}:NPO") is registry.methods()["npo"]


def test_what_methods_share_is_no_method():
    assert all(cls.__module__.partition("._")[2] == "" for cls in registry.methods().values())


def test_entry_points_of_installed_packages_are_loaded(tmp_path, monkeypatch):
    """As in a package, the entry point names a class, and importing the class registers it."""

    class Point:
        def load(self):
            registry.method_named(write(tmp_path, "from_a_package"))

    monkeypatch.setattr(registry, "_METHODS", dict(registry.methods()))
    monkeypatch.setattr(
        registry.metadata, "entry_points", lambda group: [Point()] * (group == "palimpsest.methods")
    )
    registry._discover_methods.__wrapped__()
    assert "from_a_package" in registry.methods()


def test_every_registered_entry_describes_itself():
    for name, cls in registry.methods().items():
        assert issubclass(cls, Method)
        assert cls.__doc__
        assert cls.name == name
    assert all(cls.version >= 1 and cls.__doc__ for cls in registry.tasks().values())
