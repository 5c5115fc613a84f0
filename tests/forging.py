"""Tampering with records in tests: without a new seal, with a new seal, or with every id and digest
recomputed.
"""

import json

from benchmark.records.schema import Failure, Record
from benchmark.records.store import OUTPUTS_SUFFIX, read_record
from benchmark.records.validation import Folder, validate

FAILURE = Failure(type="ValueError", message="loss is NaN", traceback="…").model_dump()
FAILED = {
    **{"status": "error", "error": FAILURE, "outputs": None},
    **{"values": {}, "metrics": {}, "shards": {}},
}


def findings(results):
    return validate(Folder(results))


def checks_at(results, path):
    """The names of the checks that find something at a path."""
    return {f.check for f in findings(results) if f.path == path}


def path_of(results, name):
    """The first record file of a method."""
    return next(p for p in results.paths() if p.parent.name == name)


def outputs_file(path):
    return path.with_suffix(OUTPUTS_SUFFIX)


def inputs_file(path):
    (file,) = path.parents[1].glob("inputs-*.parquet")
    return file


def rewrite(path, change):
    """Changes only the JSON of a record, in place; returns its path."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def reseal(path, change):
    """Changes a record in place and recomputes its seal."""
    rewrite(path, change)
    path.write_bytes(read_record(path).sealed().to_json())
    return path


def with_ids(record):
    """The record with recomputed ids of its identity and shards, and a new seal."""
    record = record.model_copy(update={"id": record.identity.id})
    shards = {
        stage: shard.model_copy(
            update={"id": record.evaluation.shard_id(record.id, stage, shard.recipe)}
        )
        for stage, shard in record.shards.items()
    }
    return record.model_copy(update={"shards": shards}).sealed()


def forge(results, path, change):
    """Changes a record, recomputes its ids and seal, and moves it with its outputs to where it
    belongs; returns its new path.
    """
    content = json.loads(path.read_text())
    change(content)
    record = with_ids(Record.model_validate(content))
    target = results.path_of(record)
    move(path, target)
    target.write_bytes(record.to_json())
    return target


def move(path, target):
    """Moves a record and its outputs to another folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    outputs_file(path).rename(outputs_file(target))
    path.rename(target)
    return target


def table(record, split="forget", stage="model"):
    """The JSON of a record's values of a stage and split."""
    return record["values"][stage][split]


def column(record, metric="exact_memorization"):
    """The JSON of one metric's values on the forget split."""
    return table(record)["values"][metric]
