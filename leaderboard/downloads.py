"""Files for download: all rankings as JSON and CSV, each row as JSON and in the schema of Every
Eval Ever, a LaTeX table per track, and a feed of new rows. Within a SCHEMA, fields are only ever
added.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree

from benchmark import __version__
from benchmark.records.schema import GUARDRAIL
from benchmark.statistics import SCORE_VERSION
from benchmark.statistics.bootstrap import LEVEL, REPLICATES
from leaderboard.board import Track
from leaderboard.citation import bibtex, citation, latex_escaped, row_digest
from leaderboard.plots import plain
from leaderboard.render import Page, method_page, row_file, slug
from leaderboard.tables import QUANTITIES, Row, by_division
from leaderboard.views import View

SCHEMA = "palimpsest-leaderboard/1"
EEE_SCHEMA = "0.3.0"  # the version of Every Eval Ever's schema that rows are exported to
NEWEST = 50  # rows in the feed
NAME = "Palimpsest"

Json = dict[str, Any]


def downloads(tracks: Sequence[Sequence[View]], address: str) -> Iterator[Page]:
    """Yields all files, from the views of each track; `address` is the public URL, or empty."""
    by_track = {views[0].track.name: _track(views) for views in tracks}
    head = {"schema": SCHEMA, "version": __version__, "score_version": SCORE_VERSION}
    yield "leaderboard.json", _json(head | {"tracks": by_track})
    yield "leaderboard.csv", _csv(tracks)
    for overall, *views in tracks:
        yield f"latex/{slug(overall.track.name)}.tex", latex(overall)
        for row in overall.rows:
            yield (
                row_file(overall.track.name, row.name),
                _json(head | _row_alone(overall.track, row, views)),
            )
            path = f"every_eval_ever/{slug(overall.track.name)}/{slug(row.name)}.json"
            if row.quantity("score").known:
                yield path, _json(every_eval_ever(overall.track, row, views))
    if address:  # the links of a feed are absolute
        yield "feed.xml", feed([views[0] for views in tracks], address)


def _track(views: Sequence[View]) -> Json:
    return {
        "variants": views[0].variants,
        "rankings": {view.name: [_row(row) for row in view.rows] for view in views},
    }


def _row(row: Row) -> Json:
    method = row.method
    numbers = {name: _quantity(row, name) for name in QUANTITIES}
    return {
        "row": row.name,
        "method": method.name,
        "family": method.family,
        "reference": method.reference,
        "sees": sorted(method.sees),
        "division": row.division,
        "anchor": row.anchor,
        "state": row.state,
        "rank": row.rank,
        "ranks": row.ranks,
        **numbers,
        "worst_attack": row.worst_attack or None,
        "mean_over_attacks": row.mean_over_attacks,
        "seconds": row.seconds,
        "tokens": row.tokens,
        "runs": row.succeeded,
        "expected": row.expected,
    }


def _quantity(row: Row, name: str) -> Json | None:
    quantity = row.quantity(name)
    if not quantity.known:
        return None
    return {"value": quantity.value, "low": quantity.low, "high": quantity.high}


def _row_alone(track: Track, row: Row, views: Sequence[View]) -> Json:
    elsewhere = {
        view.name: _row(own) for view in views for own in view.rows if own.name == row.name
    }
    runs = [
        {"record": r.id, "digest": r.seal, "variant": r.variant, "seed": r.seed, "status": r.status}
        for r in row.runs
    ]
    return {
        "track": track.name,
        "digest": row_digest(row),
        "overall": _row(row),
        "by_view": elsewhere,
        "records": runs,
        "page": method_page(track.name, row.name),
        "citation": citation(track, row),
        "bibtex": bibtex(track, row),
    }


def _json(content: Json) -> str:
    """Content as JSON, with null for NaN and infinite numbers."""
    return json.dumps(plain(content), indent=1, allow_nan=False) + "\n"


def _csv(tracks: Sequence[Sequence[View]]) -> str:
    """A line per row of each ranking; a column per field, three per quantity."""
    lines = [line for views in tracks for view in views for line in _lines(view)]
    out = io.StringIO()
    columns = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _lines(view: View) -> Iterator[Json]:
    for row in view.rows:
        line: Json = {"track": view.track.name, "ranking": view.name}
        for name, value in plain(_row(row)).items():
            if name in QUANTITIES:
                line |= {f"{name}{end}": (value or {}).get(key) for end, key in ENDS.items()}
            elif isinstance(value, list):
                line[name] = " ".join(map(str, value))
            else:
                line[name] = value
        yield line


ENDS = {"": "value", "_low": "low", "_high": "high"}


def latex(view: View) -> str:
    """The ranking as a booktabs table, a group of lines per division."""
    lines = [r"\begin{tabular}{rl" + "r" * len(QUANTITIES) + "}", r"\toprule"]
    lines += [" & ".join(["rank", "method", *QUANTITIES]) + r" \\"]
    for division, rows in by_division(view.rows):
        lines += [r"\midrule"]
        if division == GUARDRAIL:
            lines += [rf"\multicolumn{{{len(QUANTITIES) + 2}}}{{l}}{{Guardrails}} \\", r"\midrule"]
        lines += [_latex_line(row) for row in rows if row.quantity("score").known]
    lines += [r"\bottomrule", r"\end{tabular}"]
    source = (
        f"% {NAME} {__version__}, score version {SCORE_VERSION}, track {view.track.name}, "
        f"{view.name}: means over {len(view.variants)} variants, 95 % confidence intervals.\n"
    )
    return source + "\n".join(lines) + "\n"


def _latex_line(row: Row) -> str:
    rank = "--" if row.rank is None else f"{row.rank}{'=' if row.tied else ''}"
    cells = []
    for quantity in map(row.quantity, QUANTITIES):
        interval = rf" {{\scriptsize [{quantity.low:.3f}, {quantity.high:.3f}]}}"
        known = f"{quantity.value:.3f}" + interval * quantity.has_interval
        cells.append(known if quantity.known else "--")
    return " & ".join([rank, rf"\texttt{{{latex_escaped(row.name)}}}", *cells]) + r" \\"


def every_eval_ever(track: Track, row: Row, views: Sequence[View]) -> Json:
    """A row as an evaluation in the schema of Every Eval Ever: the model is the track's target
    after unlearning with the method; the score and each axis of each view are results.
    """
    created = max(run.provenance.created for run in row.runs)
    name = f"{row.name} on {track.name}"
    own = [(view, found) for view in views for found in view.rows if found.name == row.name]
    results = [
        _result(view, found, quantity)
        for view, found in own
        for quantity in QUANTITIES
        if found.quantity(quantity).known
    ]
    return {
        "schema_version": EEE_SCHEMA,
        "evaluation_id": f"palimpsest/{track.name}/{row.name}/{row_digest(row)}",
        "evaluation_timestamp": created,
        "retrieved_timestamp": str(int(datetime.fromisoformat(created).timestamp())),
        "source_metadata": {
            "source_name": NAME,
            "source_type": "evaluation_run",
            "source_organization_name": "The Palimpsest authors",
            "evaluator_relationship": "third_party",
        },
        "eval_library": {
            "name": "palimpsest-bench",
            "version": __version__,
            "additional_details": {"score_version": str(SCORE_VERSION)},
        },
        "model_info": {
            "name": name,
            "id": f"palimpsest/{track.name}/{row.name}",
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",  # not distributed; can be remade from its records
                "unlearning_method": row.method.name,
                "track": track.name,
            },
        },
        "evaluation_results": results,
    }


def _result(view: View, row: Row, name: str) -> Json:
    quantity = row.quantity(name)
    source = {"dataset_name": view.name, "source_type": "other"}
    interval = {
        "lower": quantity.low,
        "upper": quantity.high,
        "confidence_level": LEVEL,
        "method": "bootstrap over entities, seeds and oracles",
    }
    details: Json = {"score": quantity.value}
    if quantity.has_interval:
        details["uncertainty"] = {
            "confidence_interval": interval,
            "num_bootstrap_samples": REPLICATES,
        }
    bounds: Mapping[str, Any] = {"score_type": "continuous", "min_score": 0, "max_score": 1}
    return {
        "evaluation_name": f"{view.name}: {name}",
        "source_data": source,
        "metric_config": {"lower_is_better": False, **bounds},
        "score_details": details,
    }


def feed(overall: Sequence[View], address: str) -> str:
    """The newest rows as RSS 2.0, by the date of their last record."""
    rows = [(view.track, row) for view in overall for row in view.rows if not row.anchor]
    dated = sorted(rows, key=lambda pair: (_created(pair[1]), pair[1].name), reverse=True)
    rss = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(rss, "channel")
    _texts(channel, title=f"{NAME}: new rows", link=address)
    _texts(channel, description="Rows of the unlearning leaderboard, newest first")
    for track, row in dated[:NEWEST]:
        item = ElementTree.SubElement(channel, "item")
        score = row.quantity("score")
        said = f"score {score.value:.3f}" if score.known else row.state
        _texts(
            item,
            title=f"{row.name} on {track.name}: {said}",
            link=address + method_page(track.name, row.name),
            description=citation(track, row),
            pubDate=format_datetime(datetime.fromisoformat(_created(row))),
        )
        guid = ElementTree.SubElement(item, "guid", isPermaLink="false")
        guid.text = f"{track.name}/{row.name}/{row_digest(row)}"
    ElementTree.indent(rss)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(rss, "unicode") + "\n"


def _created(row: Row) -> str:
    return max(run.provenance.created for run in row.runs)


def _texts(parent: ElementTree.Element, **texts: str) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text
