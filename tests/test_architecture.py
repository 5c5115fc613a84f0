"""The design's arrows: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("benchmark", "tasks", "methods", "leaderboard")
# From the bottom up: a room of the engine imports only from rooms that stand before it, or from its own.
LEVELS = [
    {"errors", "words", "sentences", "data", "hub", "ground", "stopwatch", "allocation"},
    {"method", "task", "metrics"},
    {"records", "world", "statistics"},
    {"training", "registry"},
    {"models", "suite"},
    {"evaluation", "attacks"},
    {"perf"},
    {"planning"},
    {"checkpoints"},
    {"unlearning"},
    {"survey", "evaluate", "preflight", "estimates", "running", "report", "doctor", "tuning"},
    {"executors"},
    {"progress"},
    {"execution", "api", "reference"},
    {"cli"},
]


def imports_of(path):
    """Every module that the file imports, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    return found


def files_of(room):
    return sorted(path for path in (ROOT / room).rglob("*.py"))


def inside(module, *prefixes):
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("room", ["tasks", "methods"])
def test_authors_import_the_api_alone(room):
    for path in files_of(room):
        own = {m for m in imports_of(path) if inside(m, *ROOMS)}
        beside = ".".join(path.parent.relative_to(ROOT).parts)  # a task may have several files
        assert all(m == "benchmark.api" or (room == "tasks" and inside(m, beside)) for m in own), path


def test_leaderboard_reads_records_and_statistics_and_never_torch():
    allowed = ("benchmark.records", "benchmark.statistics", "benchmark.metrics", "benchmark.errors", "leaderboard")
    for path in files_of("leaderboard"):
        for module in imports_of(path):
            assert not inside(module, "torch", "transformers"), path
            assert not inside(module, *ROOMS) or module == "benchmark" or inside(module, *allowed), (path, module)


def test_engine_names_no_task_method_or_page():
    for path in files_of("benchmark"):
        assert not {m for m in imports_of(path) if inside(m, "tasks", "methods", "leaderboard")}, path


@pytest.mark.parametrize("room", ["metrics", "statistics"])
def test_metrics_and_statistics_touch_neither_models_nor_files(room):
    for path in files_of(f"benchmark/{room}"):
        assert not {m for m in imports_of(path) if inside(m, "torch", "transformers", "pathlib", "os")}, path


def level_of(module):
    name = module.split(".")[1]
    return next(i for i, level in enumerate(LEVELS) if name in level)


def test_arrows_inside_the_engine_point_downwards():
    for path in files_of("benchmark"):
        if path == ROOT / "benchmark/__init__.py":
            continue
        own = level_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for module in (m for m in imports_of(path) if m.startswith("benchmark.")):
            assert level_of(module) <= own, f"{path.relative_to(ROOT)} imports {module}"
