"""Marks and disputes: how they refer to records and digests, and what validation refuses."""

import json

import pytest
from forging import column, findings, path_of, reseal
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.errors import BadInput
from benchmark.records.marks import read_marks, sign
from benchmark.records.store import read_record

LINK = "https://example.org/attack"


def alpha(results):
    return read_record(path_of(results, "alpha"))


def marked(results, **changes):
    """A mark on a record of alpha, edited by hand with `changes`."""
    record = alpha(results)
    path = sign(results, "recomputed", "Ada", [record])
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def disputed(results, **changes):
    record = alpha(results)
    fields = {
        **{"by": "Eve", "at": "2026-01-31", "link": LINK, "attack": "relearn_all", "score": 0.2},
        **{"records": {record.id: record.digest}, "attacked": {record.id: "0" * 16}},
    }
    path = results.root / "disputes" / "eve.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fields | changes))
    return path


def test_marks_and_disputes_of_records_as_they_are_have_no_findings(results):
    marked(results)
    disputed(results)
    assert findings(results) == []


def test_a_mark_leaves_the_record_alone_and_is_made_once(results):
    path, before = path_of(results, "alpha"), path_of(results, "alpha").read_bytes()
    assert sign(results, "rerun", "Ada", [alpha(results)]).parent.name == "marks"
    assert sign(results, "rerun", "Ada", [alpha(results)]) is None
    assert sign(results, "rerun", "Bob", [alpha(results)]) is not None
    assert sign(results, "recomputed", "Ada", [alpha(results)]) is not None
    assert path.read_bytes() == before
    assert len(read_marks(results.root).marks) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"by": "Mallory"}, "its file name should be recomputed-"),
        ({"mark": "rerun"}, "its file name should be rerun-"),
        ({"mark": "approved"}, "mark: Input should be"),
        ({"by": ""}, "by: "),
        ({"by": "Ada\nBob"}, "by: "),
        ({"at": "yesterday"}, "at: "),
        ({"link": "javascript:alert(1)"}, "link: "),
        ({"records": {}}, "records: "),
        ({"records": {"f" * 16: "0" * 16}}, "there is no record ffffffffffffffff"),
        ({"score": 1}, "score: Extra inputs"),
    ],
)
def test_a_mark_that_was_tampered_with_is_found(results, changes, message):
    path = marked(results, **changes)
    found = [f for f in findings(results) if f.path == path]
    assert {f.check for f in found} == {"marks"}
    assert any(f.message.startswith(message) for f in found), found


def test_a_mark_does_not_slip_onto_a_record_that_has_changed(results):
    """The mark no longer applies, even if the changed record is valid apart from its values."""
    path = marked(results)
    reseal(path_of(results, "alpha"), lambda r: column(r).__setitem__(0, 0.5))
    (message,) = [f.message for f in findings(results) if f.path == path]
    assert message.startswith(f"it names {alpha(results).id} with digest ")


def test_a_mark_with_the_digest_of_another_record_is_found(results):
    other = read_record(path_of(results, "beta"))
    path = marked(results, records={alpha(results).id: other.digest})
    messages = [f.message for f in findings(results) if f.path == path]
    assert any("it names" in message for message in messages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": 1.2}, "score: "),
        ({"score": "NaN"}, "score: "),
        ({"link": "file:///etc/passwd"}, "link: "),
        ({"link": ""}, "link: "),
        ({"attack": ""}, "attack: "),
        ({"attacked": {}}, "attacked: "),
        ({"attacked": {"f" * 16: "0" * 16}}, "file: Value error, records and attacked must name"),
        ({"records": {"f" * 16: "1" * 16}, "attacked": {"f" * 16: "2" * 16}}, "there is no record"),
    ],
)
def test_a_dispute_that_is_malformed_or_about_nothing_is_found(results, changes, message):
    path = disputed(results, **changes)
    (finding,) = findings(results)
    assert (finding.path, finding.check) == (path, "disputes")
    assert finding.message.startswith(message)


def test_a_dispute_shows_other_records_than_those_that_it_disputes(results):
    record = alpha(results)
    disputed(results, attacked={record.id: record.digest})
    assert "attacked must be digests of other records" in findings(results)[0].message


def test_a_dispute_is_about_one_row(results):
    both = {r.id: r.digest for r in (alpha(results), read_record(path_of(results, "beta")))}
    disputed(results, records=both, attacked=dict.fromkeys(both, "0" * 16))
    assert [f.message for f in findings(results)] == ["it names records of several rows"]


def test_what_is_no_json_is_one_line(results):
    path = marked(results)
    path.write_text("{")
    with pytest.raises(BadInput, match=r"recomputed-\w+\.json: file: Invalid JSON") as caught:
        read_marks(results.root)
    assert "\n" not in str(caught.value)
    assert [f.check for f in findings(results)] == ["marks"]


def validate(results, *options):
    return CliRunner().invoke(app, ["validate", str(results.root), *options])


def test_validate_signs_what_it_recomputed(results):
    done = validate(results, "--sign", "Ada")
    assert done.exit_code == 0
    (mark,) = read_marks(results.root).marks
    assert (mark.mark, mark.by) == ("recomputed", "Ada")
    assert mark.records == {r.id: r.digest for r in results.read_all()}
    assert "already marked by Ada" in validate(results, "--sign", "Ada").stdout


def test_validate_signs_nothing_that_it_did_not_recompute_or_that_is_wrong(results):
    assert "--no-recompute" in validate(results, "--sign", "Ada", "--no-recompute").stderr
    assert validate(results, "--sign", " ").exit_code == 2
    reseal(path_of(results, "alpha"), lambda r: column(r).__setitem__(0, 0.5))
    assert validate(results, "--sign", "Ada").exit_code == 2
    assert read_marks(results.root).marks == []
