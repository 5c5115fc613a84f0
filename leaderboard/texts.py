"""Texts about methods, metrics and attacks: their sections of the generated pages in docs/ and, for
methods, the paper, the code and the card of a submission. Third-party methods, metrics and attacks
have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from leaderboard.cards import rendered

ROOT = Path(__file__).resolve().parents[1]
DOCS, METHODS = ROOT / "docs", ROOT / "methods"
SUBMISSIONS = ROOT / "submissions"
REGISTERED = re.compile(r'@register_method\(\s*"([^"]+)"')
HEADING = re.compile(r"^## `([^`]+)`\n", flags=re.MULTILINE)
ARXIV = "https://arxiv.org/abs/"


@dataclass(frozen=True)
class Paper:
    """A paper with its arXiv address."""

    title: str
    link: str


@dataclass(frozen=True)
class MethodTexts:
    """Texts about a method: `about` is HTML, `file` the name of the file in methods/ that registers
    the method, `code` its content, and `card` the authors' statements on a submitted row, by field.
    """

    about: Markup
    paper: Paper | None
    file: str
    code: str
    card: Mapping[str, Any]


def texts_of(method: str, reference: str) -> MethodTexts:
    """The texts about a method; `reference` is the key of its paper."""
    plain = re.fullmatch(r"[A-Za-z0-9_]+", method) is not None
    file = _files().get(method)
    return MethodTexts(
        about=section(DOCS / "METHODS.md", method, until="\n- family:"),
        paper=_papers().get(reference),
        file=file.name if file else "",
        code=file.read_text(encoding="utf-8") if file else "",
        card=_card(method) if plain else {},
    )


@cache
def _files() -> Mapping[str, Path]:
    """The file that registers each method."""
    return {
        name: path
        for path in sorted(METHODS.glob("*.py"))
        for name in REGISTERED.findall(path.read_text(encoding="utf-8"))
    }


def section(document: Path, name: str, until: str = "\n- ") -> Markup:
    """The section of a name in a generated reference page, as HTML, up to the list of facts that
    begins with `until`; empty if there is none.
    """
    text, _, _ = _sections(document).get(name, "").partition(until)
    return rendered(f"# {name}\n\n{text}", name).body if text else Markup("")


@cache
def _sections(document: Path) -> Mapping[str, str]:
    if not document.is_file():
        return {}
    _, *parts = HEADING.split(document.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


@cache
def _papers() -> Mapping[str, Paper]:
    content = yaml.safe_load((METHODS / "references.yaml").read_text(encoding="utf-8"))
    return {key: Paper(own["title"], ARXIV + own["arxiv"]) for key, own in content.items()}


def _card(method: str) -> Mapping[str, Any]:
    file = SUBMISSIONS / method / "card.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
