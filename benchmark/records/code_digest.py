"""Digests of the code that computes something, ignoring comments, docstrings and layout."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmark.core.hashing import fingerprint

PACKAGES = ("numpy", "scipy", "scikit-learn", "rouge-score", "regex")  # that compute results
ROOT = Path(__file__).parents[2]
OURS = "benchmark"


@cache
def of_rooms(*rooms: str) -> str:
    """The digest of all files in these subpackages of `benchmark`, with PACKAGES' versions."""
    return _digest([path for room in rooms for path in (ROOT / OURS / room).rglob("*.py")])


@cache
def behind(module: str) -> str:
    """The digest of a module and all that it imports from `benchmark`, directly or indirectly."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _path(waiting.pop())
        if path and path not in found:
            found.add(path)
            waiting += _imported(path)
    return _digest(list(found))


def _digest(paths: Sequence[Path]) -> str:
    sources = {str(path.relative_to(ROOT)): ast.dump(_essence(path)) for path in sorted(paths)}
    return fingerprint([sources, {name: version(name) for name in PACKAGES}])


@cache
def _essence(path: Path) -> ast.Module:
    """The syntax tree of a file without docstrings."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


def _path(module: str) -> Path | None:
    """The file of a module or package of this project; None if the name is neither."""
    place = ROOT.joinpath(*module.split("."))
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imported(path: Path) -> Iterator[str]:
    """Yields the `benchmark` names that a file imports; not all are modules."""
    for node in ast.walk(_essence(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(OURS))
