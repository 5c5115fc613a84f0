"""Fills templates: paths of pages, formatted numbers, and JSON that is safe inside a page."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from benchmark import __version__
from benchmark.records.schema import Record
from leaderboard.plots import Looks
from leaderboard.tables import QUANTITIES, by_division

TEMPLATES = Path(__file__).parent / "templates"

Page = tuple[str, str]  # path below the site's folder, content


def slug(text: str) -> str:
    """A file name for any text, `frequency--low` for `frequency/low`; a hash is appended if other
    characters had to be replaced, to keep names distinct.
    """
    written = text.replace("/", "--")
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", written).strip("-")
    return (
        plain
        if plain and plain == written
        else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    )


def record_page(record: Record) -> str:
    return f"records/{slug(record.id)}.html"


def method_page(track: str, row_name: str) -> str:
    return f"methods/{slug(track)}/{slug(row_name)}.html"


def task_page(task: str) -> str:
    return f"tasks/{slug(task)}.html"


def metric_path(metric: str) -> str:
    return f"metrics/{slug(metric)}.html"


def attack_path(attack: str) -> str:
    return f"attacks/{slug(attack)}.html"


def row_file(track: str, row_name: str) -> str:
    return f"rows/{slug(track)}--{slug(row_name)}.json"


def view_file(track: str, view: str) -> str:
    return f"data/views/{slug(track)}/{slug(view)}.js"


def examples_file(track: str, variant: str) -> str:
    return f"data/examples/{slug(track)}/{slug(variant)}.js"


def record_file(record: Record) -> str:
    return f"data/records/{slug(record.id)}.js"


def draws_file(track: str, row_name: str) -> str:
    return f"data/draws/{slug(track)}/{slug(row_name)}.js"


def files_by_name(records: Mapping[str, Record]) -> dict[str, str]:
    return {name: record_file(record) for name, record in records.items()}


def data_page(path: str, content: str) -> Page:
    """JSON wrapped in a script: a page opened from disk may load scripts but not JSON."""
    return path, f"dataLoaded({compact_json(path)}, {content});\n"


def number(value: float, digits: int = 3) -> str:
    """A value formatted for display; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def plain(value: float) -> str:
    """A value formatted for sorting by scripts; empty for NaN."""
    return "" if math.isnan(value) else f"{value:g}"


def breakable(name: str) -> Markup:
    """A name that may break across lines after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def compact_json(value: Any) -> Any:
    """JSON without `<`, `>` and `&`, so that no text can close the enclosing script element;
    ValueError for NaN, which browsers reject.
    """
    return htmlsafe_json_dumps(value, dumps=json.dumps, separators=(",", ":"), allow_nan=False)


class Renderer:
    """Fills templates. `root` is the relative path from a page to the site's top folder; `extra`
    are the optional pages that this site has.
    """

    def __init__(self, looks: Looks, extra: Collection[str], **shared: Any) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., Any]] = {
            "number": number,
            "plain": plain,
            "file_by_name": files_by_name,
            "json": compact_json,
            "breakable": breakable,
        }
        self._environment.filters |= filters
        self._environment.globals |= {
            "version": __version__,
            "quantities": QUANTITIES,
            "looks": looks,
            "extra": extra,
            "record_page": record_page,
            "method_page": method_page,
            "task_page": task_page,
            "record_file": record_file,
            "metric_path": metric_path,
            "attack_path": attack_path,
            "row_file": row_file,
            "slug": slug,
            "by_division": by_division,
        } | shared

    def page(self, path: str, template: str, **context: Any) -> Page:
        return path, self.filled(template, "../" * path.count("/"), here=path, **context)

    def filled(self, template: str, root: str = "", **context: Any) -> str:
        """A filled template; for a fragment of a page, `root` is that of the page."""
        return self._environment.get_template(template).render(root=root, **context)
