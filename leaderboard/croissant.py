"""The examples of each variant as JSON lines, and Croissant metadata that describe the files of
each task (mlcommons.org/croissant, version 1.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark import __version__
from benchmark.records.outputs import sha256
from leaderboard.cards import card_of
from leaderboard.render import Page, slug

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FIELDS = {
    "split": "role of the split: forget, retain and further evaluation splits",
    "id": "identifier of the example within its split",
    "kind": "question or text",
    "strata": "strata that the example belongs to",
    "prompts": "the prompt as trained, then the held-out paraphrases; beginnings of a text",
    "expected": "the expected answer, or the continuation of each beginning",
}
OWN_LICENCE = "https://spdx.org/licenses/MIT"  # of data that are made here
REPEATED = ("prompts", "expected")


def examples_path(track: str, variant: str) -> str:
    return f"croissant/{slug(track)}/{slug(variant)}.jsonl"


def examples_lines(track: str, variant: str, examples: Sequence[dict]) -> Page:
    """The examples of a variant, one JSON object per line."""
    lines = (json.dumps({name: example[name] for name in FIELDS}) for example in examples)
    return examples_path(track, variant), "".join(f"{line}\n" for line in lines)


def croissant(track: str, task: str, files: Sequence[Page], address: str) -> Page:
    """Metadata of a task on a track; `files` are those of its variants."""
    card = card_of(task)
    objects, record_sets = [], []
    for path, content in files:
        name = path.rpartition("/")[2]
        objects.append(_file(name, content))
        record_sets.append(_record_set(name))
    about: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"palimpsest-{slug(track)}-{slug(task)}",
        "description": card.summary if card else task,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": __version__,
        **({"url": address} if address else {}),
        **({"license": card.licence or OWN_LICENCE} if card else {}),
        "creator": {"@type": "Organization", "name": "The Palimpsest authors"},
        "distribution": objects,
        "recordSet": record_sets,
    }
    return f"croissant/{slug(track)}/{slug(task)}.json", json.dumps(about, indent=1) + "\n"


def _file(name: str, content: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": "application/jsonlines",
        "sha256": sha256(content.encode()),
    }


def _record_set(name: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": f"{name}/examples",
        "name": f"{name}/examples",
        "field": list(_fields(name)),
    }


def _fields(name: str) -> Iterator[dict[str, Any]]:
    for field, description in FIELDS.items():
        yield {
            "@type": "cr:Field",
            "@id": f"{name}/examples/{field}",
            "name": field,
            "description": description,
            "dataType": "sc:Text",
            **({"repeated": True} if field in REPEATED else {}),
            "source": {"fileObject": {"@id": name}, "extract": {"column": field}},
        }
