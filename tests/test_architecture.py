"""The import rules of the design: which rooms may import which."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("benchmark", "tasks", "methods", "leaderboard")
# From the bottom up: a room of the engine imports only from itself and from earlier rooms.
ORDER = (
    *("errors", "runtime", "core", "data", "metrics", "records", "statistics"),
    *("tokens", "training", "models", "inference", "attacks", "evaluation"),
    *("pipeline", "authoring", "execution", "reports", "tools", "cli"),
)
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60  # lines, short enough to be read in one go
LOOSE = {"__init__.py", "api.py", "errors.py"}
WITHOUT_TORCH = ("runtime", "core", "metrics", "records", "statistics")


def imports_of(path):
    """Every module that the file imports, anywhere in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    return found


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def top_level_imports(path, modules):
    """Those of `modules` that this file imports at its top level; `from package import module`
    counts as the module.
    """
    found = set()
    for node in (
        node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)
    ):
        named = {f"{node.module}.{alias.name}" for alias in node.names}
        found |= (named & modules) or ({node.module} & modules)
    return found


def files_of(room):
    return sorted(path for path in (ROOT / room).rglob("*.py"))


def inside(module, *prefixes):
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


TEMPLATES = "benchmark/authoring/templates"  # method templates that authors start from


@pytest.mark.parametrize("room", ["tasks", "methods", TEMPLATES])
def test_authors_import_the_api_alone(room):
    for path in files_of(room):
        own = {m for m in imports_of(path) if inside(m, *ROOMS)}
        # A task may have several files, and methods have a shared package.
        beside = ".".join(path.parent.relative_to(ROOT).parts)
        more = beside if room == "tasks" else "methods._shared"
        assert all(m == "benchmark.api" or inside(m, more) for m in own), path


def test_leaderboard_reads_records_and_statistics_and_never_torch():
    allowed = (
        "benchmark.records",
        "benchmark.statistics",
        "benchmark.metrics",
        "benchmark.errors",
        "benchmark.core.probe_ids",
        "leaderboard",
    )
    for path in files_of("leaderboard"):
        for module in imports_of(path):
            assert not inside(module, "torch", "transformers"), path
            assert (
                not inside(module, *ROOMS) or module == "benchmark" or inside(module, *allowed)
            ), (path, module)


def test_engine_names_no_task_method_or_page():
    for path in files_of("benchmark"):
        assert not {m for m in imports_of(path) if inside(m, "tasks", "methods", "leaderboard")}, (
            path
        )


@pytest.mark.parametrize("room", ["metrics", "statistics"])
def test_metrics_and_statistics_touch_neither_models_nor_files(room):
    for path in files_of(f"benchmark/{room}"):
        assert not {
            m for m in imports_of(path) if inside(m, "torch", "transformers", "pathlib", "os")
        }, path


def room_of(module):
    return module.split(".")[1]


def test_arrows_inside_the_engine_point_downwards():
    for path in files_of("benchmark"):
        own = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if own in ("__init__", "api", "suites") or path.parent == ROOT / TEMPLATES:
            continue
        for module in (m for m in imports_of(path) if m.startswith("benchmark.")):
            assert ORDER.index(room_of(module)) <= ORDER.index(own), (
                f"{path.relative_to(ROOT)} imports {module}"
            )


def test_every_module_of_the_engine_lies_in_a_room():
    assert {path.name for path in (ROOT / "benchmark").glob("*.py")} == LOOSE
    rooms = {path.parent.name for path in (ROOT / "benchmark").glob("*/__init__.py")}
    assert rooms == set(ORDER) - {"errors"}


@pytest.mark.parametrize("room", WITHOUT_TORCH)
def test_contracts_records_and_statistics_need_no_torch(room):
    for path in files_of(f"benchmark/{room}"):
        assert not {
            m for m in imports_of(path) if inside(m, "torch", "transformers", "vllm", "peft")
        }, path


def test_no_module_of_the_engine_imports_itself_by_way_of_others():
    """Without cycles, a worker or a test can import any module first."""
    modules = {module_of(path): path for path in files_of("benchmark")}
    needs = {name: top_level_imports(path, set(modules)) - {name} for name, path in modules.items()}
    graphlib.TopologicalSorter(needs).prepare()  # a CycleError names the cycle


@pytest.mark.parametrize("room", ROOMS)
def test_modules_and_functions_are_short(room):
    """The limit of 100 characters per line is left to the linter."""
    for path in files_of(room):
        text = path.read_text()
        assert len(text.splitlines()) <= LONGEST_MODULE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{path}: {node.name} has {length} lines"
