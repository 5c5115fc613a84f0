"""A hub on this machine, and commands that know no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import serving

PROGRAM = Path(sys.executable).with_name("palimpsest")


@pytest.fixture(scope="module")
def hub():
    with serving() as hub:
        yield hub


@pytest.fixture
def environment(hub, tmp_path):
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": "hf_of_a_test",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PALIMPSEST_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
    }
    kept = {
        k: v for k, v in os.environ.items() if k not in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    }
    return kept | own


@pytest.fixture
def palimpsest(environment, tmp_path):
    """Runs the command in a process of its own: which hub is asked is read when it starts."""

    def run(*words):
        command = [PROGRAM, *map(str, words)]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )

    return run
