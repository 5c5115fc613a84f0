"""Files that readers can download."""

import csv
import io
import json
import re
from datetime import datetime
from xml.etree import ElementTree

import jsonschema
import pytest
from toy_board import TRACK, record_id

from leaderboard.board import load_board
from leaderboard.build import build_site
from leaderboard.croissant import croissant
from leaderboard.downloads import SCHEMA
from leaderboard.tables import overall_rows

ADDRESS = "https://unlearning.example/board/"


@pytest.fixture(scope="module")
def rows(filled):
    return {row.name: row for row in overall_rows(load_board(filled.store.root).tracks[0])}


def content(site, path):
    return json.loads((site / path).read_text())


def test_all_rankings_have_the_numbers_of_the_tables(site, rows):
    board = content(site, "leaderboard.json")
    assert board["schema"] == SCHEMA
    [track] = board["tracks"]
    assert track == TRACK
    ranking = {row["row"]: row for row in board["tracks"][TRACK]["rankings"]["all tasks"]}
    assert set(ranking) == set(rows)
    assert ranking["harsh"]["rank"] == rows["harsh"].rank == 3
    assert ranking["harsh"]["score"]["value"] == pytest.approx(
        rows["harsh"].quantity("score").value, rel=1e-4
    )
    assert ranking["broken"]["score"] is None
    assert ranking["none"]["rank"] is None


def test_what_scripts_read_has_the_published_schema(site):
    schema = content(site, "static/leaderboard.schema.json")
    validator = jsonschema.Draft202012Validator(schema)
    rows = [f"rows/{path.name}" for path in (site / "rows").iterdir()]
    assert rows
    for path in ["leaderboard.json", *rows]:
        validator.validate(content(site, path))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"schema": SCHEMA, "version": "1", "score_version": 1})


def test_without_an_address_there_is_no_feed(site):
    """Feed links must be absolute."""
    assert not (site / "feed.xml").exists()
    assert "feed.xml" not in (site / "index.html").read_text()


def test_the_csv_has_a_line_per_row_of_each_ranking(site):
    lines = list(csv.DictReader(io.StringIO((site / "leaderboard.csv").read_text())))
    assert len({(line["ranking"], line["row"]) for line in lines}) == len(lines)
    assert {line["ranking"] for line in lines} == {
        "all tasks", "frequency", "frequency/high", "frequency/low",
    }  # fmt: skip
    harsh = next(line for line in lines if line["row"] == "harsh")
    assert float(harsh["score_low"]) <= float(harsh["score"]) <= float(harsh["score_high"])
    assert next(line for line in lines if line["row"] == "broken")["score"] == ""


def test_a_row_names_its_records_and_how_to_cite_it(site):
    row = content(site, f"rows/{TRACK}--twin.json")
    assert {r["record"] for r in row["records"]} == {
        record_id(v, "twin", 0) for v in ("low", "high")
    }
    assert row["digest"] in row["citation"]
    assert set(row["by_view"]) == {"frequency", "frequency/high", "frequency/low"}


def test_a_changed_record_changes_the_digest_of_its_row(folder, site):
    folder.add("low", "twin", 0, folder.samples("low", "harsh", 0))
    other = build_site(folder.store.root, folder.store.root.parent / "site").parent
    path = f"rows/{TRACK}--twin.json"
    assert content(other, path)["digest"] != content(site, path)["digest"]


def test_latex_has_a_line_per_scored_row(site):
    table = (site / f"latex/{TRACK}.tex").read_text()
    assert len(re.findall(r"\\texttt", table)) == 5
    assert table.count("&") % 6 == 0
    assert r"\begin{tabular}{rlrrrrr}" in table


def test_the_feed_names_new_rows_and_no_anchors(filled, tmp_path):
    site = build_site(filled.store.root, tmp_path / "site", address=ADDRESS).parent
    channel = ElementTree.parse(site / "feed.xml").getroot().find("channel")
    assert channel.find("link").text == ADDRESS
    items = channel.findall("item")
    titles = [item.find("title").text.split()[0] for item in items]
    assert sorted(titles) == ["broken", "gentle", "harsh", "hasty", "twin"]
    links = [item.find("link").text for item in items]
    assert all((site / link.removeprefix(ADDRESS)).is_file() for link in links)
    assert all(item.find("pubDate").text.endswith("+0000") for item in items)


# Fields that version 0.3.0 of Every Eval Ever's schema requires in each part, and all fields that
# it allows at the top level.
REQUIRED = {
    "": [
        *("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata"),
        *("model_info", "eval_library", "evaluation_results"),
    ],
    "source_metadata": ["source_type", "source_organization_name", "evaluator_relationship"],
    "eval_library": ["name", "version"],
    "model_info": ["name", "id", "additional_details"],
}
ALLOWED = {*REQUIRED[""], "evaluation_timestamp", "detailed_evaluation_results"}


def test_rows_are_exported_to_the_schema_of_every_eval_ever(site):
    row = content(site, f"every_eval_ever/{TRACK}/harsh.json")
    for part, names in REQUIRED.items():
        assert set(names) <= set(row[part] if part else row)
    assert row["schema_version"] == "0.3.0"
    assert set(row) <= ALLOWED
    details = row["model_info"]["additional_details"]
    assert details["deployment_type"] in ("self_deployed", "externally_managed", "unknown")
    assert details["model_availability"] in ("open_weights", "closed_weights", "unknown")
    assert all(isinstance(value, str) for value in details.values())
    assert datetime.fromtimestamp(int(row["retrieved_timestamp"])).year >= 2024
    assert len(row["evaluation_results"]) == 3 * 4  # rankings x quantities (privacy is missing)
    for result in row["evaluation_results"]:
        assert {"dataset_name", "source_type"} == set(result["source_data"])
        config = result["metric_config"]
        assert (config["lower_is_better"], config["min_score"], config["max_score"]) == (
            False,
            0,
            1,
        )
        interval = result["score_details"]["uncertainty"]["confidence_interval"]
        assert interval["lower"] <= result["score_details"]["score"] <= interval["upper"]


@pytest.mark.parametrize(
    ("task", "licence"),
    [
        ("tofu", "of the data: MIT"),
        ("frequency", "https://spdx.org/licenses/MIT"),  # generated in this repository
        ("of_somebody_else", ""),  # unknown without a card
    ],
)
def test_metadata_name_the_licence_that_the_card_does(task, licence):
    _, made = croissant("track", task, [], "")
    assert json.loads(made).get("license", "") == licence


def test_examples_and_their_metadata_agree(site):
    reader = pytest.importorskip(
        "mlcroissant", reason="mlcroissant is missing: pip install mlcroissant"
    )
    path = site / "croissant" / TRACK / "frequency.json"
    data = reader.Dataset(jsonld=str(path))
    assert not data.metadata.ctx.issues.errors
    assert data.metadata.license == ["https://spdx.org/licenses/MIT"]
    records = list(data.records("frequency--low.jsonl/examples"))
    lines = (path.parent / "frequency--low.jsonl").read_text().splitlines()
    assert len(records) == len(lines)
