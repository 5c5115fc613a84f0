"""Pins the code that trains, generates, scores and attacks to its version, because a silent change
would leave outdated records valid.

After a change in these rooms this test fails with the new digest. If the same cell would now have
other outputs, raise the version; otherwise leave it. Then write the digest and the reason into
`engine_pins.yaml`.
"""

import ast
import hashlib
from pathlib import Path

import pytest
import yaml

from benchmark.core.registry import attacks
from benchmark.records.identity import EVALUATION_VERSION, TRAINING_VERSION

ROOT = Path(__file__).resolve().parents[1]
PINS = yaml.safe_load((ROOT / "tests" / "engine_pins.yaml").read_text())
ROOMS = {
    "training": ("training", "models", "tokens"),
    "evaluation": ("inference", "evaluation", "tokens"),
    "attacks": ("attacks",),
}


def versions():
    return {
        "training": TRAINING_VERSION,
        "evaluation": EVALUATION_VERSION,
        "attacks": {name: cls.version for name, cls in attacks().items()},
    }


def digest_of(rooms):
    """Digest of the code without comments, docstrings and layout, and of its data files."""
    found = hashlib.sha256()
    for room in rooms:
        for path in sorted((ROOT / "benchmark" / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(path.name.encode())
                found.update(essence(path))
    return found.hexdigest()[:16]


def essence(path):
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()


@pytest.mark.parametrize("name", ROOMS)
def test_code_is_the_pinned_one(name):
    pin, digest = PINS[name], digest_of(ROOMS[name])
    assert pin["version"] == versions()[name], f"{name}: pin the new version in engine_pins.yaml"
    assert pin["digest"] == digest, (
        f"the code of {', '.join(ROOMS[name])} changed: if the same cell would have other outputs, "
        f"raise the version of {name}; then pin {digest} with the reason in engine_pins.yaml"
    )
    assert pin["why"]


def test_comments_and_docstrings_do_not_count_and_code_does(tmp_path):
    file = tmp_path / "a.py"
    texts = ('"""One."""\nx = 1  # so\n', '"""Two."""\n\n\nx = 1\n', "x = 2\n")
    found = []
    for text in texts:
        file.write_text(text)
        found.append(essence(file))
    assert found[0] == found[1] != found[2]
