"""How GPUs are assigned to workers."""

import pytest

from benchmark.runtime.gpus import shares, shown


@pytest.mark.parametrize(
    ("workers", "gpus", "dealt"),
    [
        (1, 4, ["0,1,2,3"]),
        (2, 4, ["0,1", "2,3"]),
        (3, 4, ["0", "1", "2,3"]),
        (4, 4, ["0", "1", "2", "3"]),
        (5, 2, ["0", "0", "0", "1", "1"]),
        (3, 0, ["", "", ""]),
    ],
)
def test_gpus_are_dealt_out_evenly_and_shared_where_there_are_too_few(
    monkeypatch, workers, gpus, dealt
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert shares(workers, gpus) == dealt


def test_only_gpus_that_this_process_was_given_are_passed_on(monkeypatch):
    """A cluster's scheduler names them by number or by UUID."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-8ab")
    assert shown(2) == ["3", "GPU-8ab"]
    assert shares(2, 2) == ["3", "GPU-8ab"]
