"""What tests of tasks on pretrained models share: a data source, and folders of data in the place that is looked at."""

import json
from dataclasses import replace

import pytest

import benchmark.data.files as files_module
from benchmark.api import PretrainedModel, local_file
from benchmark.data.files import DATA_VARIABLE


@pytest.fixture
def source(tmp_path):
    return PretrainedModel(track="t", model="m", development=False, home=tmp_path)


@pytest.fixture
def development(source):
    return replace(source, development=True)


@pytest.fixture(autouse=True)
def reachable_hub(monkeypatch):
    """Tests put something of their own in the place of what loads from a hub."""
    monkeypatch.setattr(files_module, "hub_answers", lambda: True)


@pytest.fixture
def write_data(tmp_path, monkeypatch):
    """Writes rows into a file of the data folder: `write_data("tofu/retain90.json", rows)`."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))

    def write(name, rows):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return write


@pytest.fixture
def asked_of_the_hub(monkeypatch):
    """What is asked of a hub that gives nothing: [(repository, configuration, split, revision)]."""
    asked = []

    def load_dataset(repo, config, split, revision):
        asked.append((repo, config, split, revision))
        raise ConnectionError

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    return asked


@pytest.fixture
def needs_real():
    """Skips a test of data that others published, unless a folder that the environment names has them."""

    def need(data_set, file):
        if local_file(data_set, file) is None:
            pytest.skip(f"{DATA_VARIABLE} names no folder with {data_set}/{file}")

    return need
