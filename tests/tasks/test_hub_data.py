"""Data sets from a hub at pinned revisions: the same as from a folder."""

import json
import subprocess
import sys
from dataclasses import astuple

import pytest
from test_hubble import data as hubble  # noqa: F401 (a fixture)
from test_muse import data as muse  # noqa: F401 (a fixture)
from test_rwku import data as rwku  # noqa: F401 (a fixture)
from test_tofu import data as tofu  # noqa: F401 (a fixture)
from test_wmdp import data as wmdp  # noqa: F401 (a fixture)

from benchmark.core.registry import task_named
from tasks.hubble import task as hubble_task
from tasks.muse.task import SOURCES
from tasks.rwku import task as rwku_task
from tasks.tofu.authors import REPO, REVISION
from tasks.wmdp.task import CORPORA, GATED, QUESTIONS

MADE = """
import json, sys
from dataclasses import astuple
from pathlib import Path
from benchmark.api import PretrainedModel
from benchmark.core.inputs import Inputs
from benchmark.core.registry import task_named
from benchmark.errors import BadInput
made = {}
for name in sys.argv[2:]:
    task, _, variant = name.partition("/")
    source = PretrainedModel("t", "m", False, Inputs(Path(sys.argv[1])))
    try:
        data = task_named(task)().data(variant, source)
    except BadInput as error:
        made[name] = str(error)
        continue
    made[name] = {split: rows.to_list() for split, rows in data.splits.items()}
    documents = [list(astuple(document)) for document in data.documents]
    made[name] |= {"pool": data.retain_pool.to_list(), "documents": documents}
print(json.dumps(made))
"""


def layout(name):
    """(repository, revision, configuration, split) on the hub for a file of the data folder."""
    data_set, _, file = name.partition("/")
    file = file.removesuffix(".json")
    if data_set == "tofu":
        return REPO, REVISION, file, "train"
    if data_set == "hubble":
        variant, split = file.split("_")
        return hubble_task.REPOS[variant], hubble_task.REVISION, "default", split
    if data_set == "rwku":
        split = "train" if file in ("forget_target", "train_original_passage") else "test"
        return rwku_task.REPO, rwku_task.REVISION, file, split
    if data_set == "muse":
        variant, config, split = file.split("_", 2)
        return *SOURCES[variant], config, split
    topic, _, corpus = file.partition("_")
    if not corpus:
        return *QUESTIONS, f"wmdp-{topic}", "test"
    if file == "bio_forget":
        return *GATED, "default", "train"
    return *CORPORA, f"{topic}-{corpus}-corpus", "train"


def published(hub, folder):
    """Puts the files of a data folder on the hub, each as a split of a configuration."""
    repos = {}
    for path in sorted(folder.glob("*/*.json")):
        repo, revision, config, split = layout(str(path.relative_to(folder)))
        repos.setdefault((repo, revision), {})[config, split] = path.read_bytes()
    for (repo, revision), content in repos.items():
        files, configs = {}, {}
        for (config, split), rows in content.items():
            files[f"{config}/{split}.json"] = rows
            place = {"split": split, "path": f"{config}/{split}.json"}
            configs.setdefault(config, []).append(place)
        listed = [{"config_name": name, "data_files": own} for name, own in configs.items()]
        card = f"---\n{json.dumps({'configs': listed})}\n---\n".encode()
        hub.put("dataset", repo, {"README.md": card, **files}, revision)


@pytest.fixture
def from_hub(hub_environment, tmp_path):
    """A function that makes tasks in a process that has a hub but no data folder."""

    def make(*names):
        command = [sys.executable, "-c", MADE, str(tmp_path / "home"), *names]
        ran = subprocess.run(
            command, env=hub_environment, capture_output=True, text=True, timeout=300
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    return make


@pytest.mark.usefixtures("tofu", "muse", "wmdp", "rwku", "hubble")
def test_data_of_a_hub_is_that_of_a_folder(hub, from_hub, source, tmp_path):
    published(hub, tmp_path / "data")
    hub.broken.add("wmdp-cyber/test.json")
    names = (
        "tofu/forget01",
        "tofu_small",
        "muse/news",
        "wmdp/cyber",
        "wmdp/bio",
        "rwku/10",
        "hubble/yago",
    )
    for name, found in from_hub(*names).items():
        task, _, variant = name.partition("/")
        local = task_named(task)().data(variant, source)
        own = {split: rows.to_list() for split, rows in local.splits.items()}
        assert {split: found[split] for split in own} == own, name
        assert found["pool"] == local.retain_pool.to_list()
        assert found["documents"] == [list(astuple(document)) for document in local.documents]


@pytest.mark.usefixtures("wmdp")
def test_data_that_a_hub_withholds_is_told_with_what_to_do(hub, from_hub, tmp_path):
    published(hub, tmp_path / "data")
    hub.refused.add(GATED[0])
    hub.put("dataset", REPO, {"retain90.json": b"{}"}, revision="0" * 40)
    made = from_hub("wmdp/bio", "tofu/forget01", "muse/news")
    assert "ask for access on its page" in made["wmdp/bio"]
    for name, repo in (("tofu/forget01", REPO), ("muse/news", SOURCES["news"][0])):
        assert f"{repo} could not be loaded" in made[name], "the pinned revision is missing"
