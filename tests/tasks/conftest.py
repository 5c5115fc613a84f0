"""Fixtures for tests of tasks on pretrained models: a data source, and data folders where tasks
look for them.
"""

import json
import os
from dataclasses import replace

import pytest

import benchmark.data.files as files_module
from benchmark.api import Inputs, PretrainedModel
from benchmark.core.inputs import DATA_VARIABLE


@pytest.fixture
def source(tmp_path):
    inputs = Inputs(
        tmp_path,
        data=tmp_path / "data",
        forget=tmp_path / "forget.jsonl",
        retain=tmp_path / "retain.jsonl",
    )
    return PretrainedModel(track="t", model="m", development=False, inputs=inputs)


@pytest.fixture
def development(source):
    return replace(source, development=True)


@pytest.fixture(autouse=True)
def reachable_hub(monkeypatch):
    """The hub counts as reachable; tests replace the function that loads from it."""
    monkeypatch.setattr(files_module, "hub_answers", lambda: True)


@pytest.fixture
def write_data(tmp_path):
    """Writes rows into a file of the data folder: `write_data("tofu/retain90.json", rows)`."""

    def write(name, rows):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return write


@pytest.fixture
def asked_of_the_hub(monkeypatch):
    """Requests to a hub that returns nothing: [(repository, configuration, split, revision)]."""
    asked = []

    def load_dataset(repo, config, split, revision):
        asked.append((repo, config, split, revision))
        raise ConnectionError

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    return asked


@pytest.fixture
def real_source(source):
    """A data source with data published by others; skips the test unless the environment names a
    folder with them.
    """

    def having(data_set, file):
        inputs = Inputs.of(os.environ)
        if inputs.data_file(data_set, file) is None:
            pytest.skip(f"{DATA_VARIABLE} names no folder with {data_set}/{file}")
        return replace(source, inputs=inputs)

    return having
