"""Creates the starting file of a new method from a template."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.core.registry import lookup, methods
from benchmark.errors import BadInput

TEMPLATES = Path(__file__).with_name("templates")


def kinds() -> dict[str, Path]:
    """The template of each kind of method."""
    return {path.stem: path for path in sorted(TEMPLATES.glob("*.py"))}


def new_method(name: str, kind: str, folder: Path) -> Path:
    """Writes `<name>.py`, a working method; BadInput if the kind is unknown, the name is invalid,
    or the file or method exists.
    """
    template = lookup("kind of method", kind, kinds())
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise BadInput(f"method {name!r}: a name starts with a-z and is made of a-z, 0-9 and _")
    if name in methods():
        raise BadInput(f"method {name!r}: already exists; choose another name")
    path = folder / f"{name}.py"
    if path.exists():
        raise BadInput(f"{path}: exists already")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    text = template.read_text().replace("new_method", name).replace("NewMethod", class_name)
    path.write_text(text)
    return path
