"""Requirements on committed records: their values can be recomputed, and they come from committed
code.
"""

from pathlib import Path

import pytest

from benchmark.records.store import ResultStore
from benchmark.records.validation import QUICK, THOROUGH, Folder, validate

RESULTS = Path(__file__).resolve().parents[2] / "results"


@pytest.mark.audit
def test_every_published_value_recomputes_from_its_samples():
    assert [str(finding) for finding in validate(Folder(ResultStore(RESULTS)))] == []


def test_every_tenth_published_record_recomputes_from_its_samples():
    folder = Folder(ResultStore(RESULTS))
    assert folder.unreadable == []
    for path, record in list(folder.records.items())[::10]:
        found = [m for check in (*QUICK, *THOROUGH) for m in check(path, record, folder)]
        assert found == [], path


def test_published_records_come_from_committed_code():
    """This includes trials."""
    for record in ResultStore(RESULTS).read_all():
        assert len(record.provenance.commit) == 40, record.id
        assert not record.provenance.dirty, record.id
