"""Hashes the code that defines a method: a method whose code has changed gives a new cell."""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.method import Method

SHARED = "methods._shared"
ENGINE = "benchmark"
Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def source_hash(cls: type[Method]) -> str:
    """16 hex digits of a hash of the code of a method's class, its bases, and everything they use.

    In the file of a class, this covers the functions, constants and classes that it uses, directly
    or indirectly; in other files, only imports from `methods/_shared/`. It excludes the rest of the
    engine. It also excludes comments, docstrings, layout and parameter defaults: they change no
    outcome (a cell's identity has the parameter values), and choosing defaults must not orphan the
    records on which the choice was based.
    """
    return _hash(tuple(base for base in cls.__mro__ if issubclass(base, Method)))


@cache
def _hash(bases: tuple[Any, ...]) -> str:
    code = _Code({base.__name__ for base in bases})
    for base in bases:
        code.add(base.__module__, base.__qualname__.partition(".")[0])
    return hashlib.sha256("\n".join(code.pieces.values()).encode()).hexdigest()[:16]


class _Code:
    """Pieces of code by module and name, in the order of discovery."""

    def __init__(self, methods: set[str]) -> None:
        self.pieces: dict[tuple[str, str], str] = {}
        self._essence = _Essence(methods)

    def add(self, module: str, name: str) -> None:
        """Adds the code that a name refers to in a module, and everything that this code uses."""
        source = _source(module)
        if (module, name) in self.pieces:
            return
        if name in source.statements:
            statements = [self._essence.of(s) for s in source.statements[name]]
            self.pieces[module, name] = "\n".join(map(ast.unparse, statements))
            for used in sorted({used for statement in statements for used in _names(statement)}):
                self.add(module, used)
        elif name in source.imports:
            self._add_import(module, name, *source.imports[name])

    def _add_import(self, module: str, name: str, package: str, original: str) -> None:
        """Adds the code of imports from `methods/_shared/`. Other imports are added by qualified
        name only, those from the engine without their module, which refactoring may change.
        """
        full_name = f"{package}.{original}".rstrip(".")
        if _is_shared(package) and _source(package).has(original):
            self.add(package, original)
        elif _is_shared(full_name):
            for defined in _source(full_name).statements:
                self.add(full_name, defined)
        else:
            place = ENGINE if package.startswith(f"{ENGINE}.") else package
            self.pieces[module, name] = f"{name} = {place}.{original}".rstrip(".")


def _is_shared(module: str) -> bool:
    return module == SHARED or module.startswith(f"{SHARED}.")


@dataclass(frozen=True)
class _Source:
    """A module's statements by the names that they define or may change, and its imports by local
    name, as (module, original name).
    """

    statements: dict[str, list[ast.stmt]]
    imports: dict[str, tuple[str, str]]

    def has(self, name: str) -> bool:
        return name in self.statements or name in self.imports


@cache
def _source(name: str) -> _Source:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text())
    statements: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for defined in _concerns(statement):
            statements.setdefault(defined, []).append(statement)
    return _Source(statements, dict(_imports(tree, module.__package__ or "")))


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yields local names with their (module, original name), including imports inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package)
            for alias in node.names:
                yield alias.asname or alias.name, (module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], (alias.name, "")


def _concerns(statement: ast.stmt) -> set[str]:
    """The names that a module-level statement defines or may change."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Import() | ast.ImportFrom():
            return set()
        case ast.Assign():
            return {name for target in statement.targets for name in _names(target)}
        case ast.AnnAssign() | ast.AugAssign():
            return _names(statement.target)
        case _:
            return _names(statement)


def _names(node: ast.AST) -> set[str]:
    """All names in a piece of code, including those of functions and classes defined in it."""
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            names.add(inner.id)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(inner.name)
    return names


class _Essence(ast.NodeTransformer):
    """Drops docstrings, and the parameter defaults of the given method classes."""

    def __init__(self, methods: set[str]) -> None:
        self.methods = methods

    def of(self, statement: ast.stmt) -> ast.stmt:
        """Returns a stripped copy of a statement."""
        return self.visit(copy.deepcopy(statement))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, Documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.ClassDef) and node.name in self.methods:
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and not _is_class_variable(item):
                    item.value = None
        return node


def _is_class_variable(item: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(item.annotation)
