"""Distribution of work over processes: every job is done, and no library starts threads."""

import time
from pathlib import Path

import pytest

from benchmark.statistics.processes import FEW, shared_out


def write_threads(file: Path) -> None:
    """Writes the number of threads of each library that computes, after all metrics' imports."""
    import scipy.linalg  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    from threadpoolctl import threadpool_info

    file.write_text(" ".join(str(library["num_threads"]) for library in threadpool_info()))


def test_processes_compute_with_one_thread_each(tmp_path):
    files = [tmp_path / name for name in "abc"]
    shared_out(write_threads, [(file,) for file in files], FEW)
    for file in files:
        assert set(file.read_text().split()) == {"1"}


@pytest.mark.parametrize("records", [FEW - 1, FEW])
def test_this_process_does_its_own_work_meanwhile(tmp_path, records):
    done = []
    files = [tmp_path / name for name in "ab"]
    shared_out(
        write_threads, [(file,) for file in files], records, meanwhile=lambda: done.append(1)
    )
    assert done == [1]
    assert all(file.is_file() for file in files)


def test_what_fails_elsewhere_fails_here(tmp_path):
    files = [tmp_path / "missing" / "a", tmp_path / "b"]
    with pytest.raises(FileNotFoundError):
        shared_out(write_threads, [(file,) for file in files], FEW)


def sleep_and_write(file: Path) -> None:
    time.sleep(0.2)
    file.write_text("")


def test_after_a_failure_here_no_further_job_starts(tmp_path):
    jobs = [(tmp_path / str(number),) for number in range(100)]

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shared_out(sleep_and_write, jobs, FEW, meanwhile=fail)
    assert len(list(tmp_path.iterdir())) < 20
