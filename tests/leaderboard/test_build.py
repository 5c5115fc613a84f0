"""Files of the built site: where they are, and what a build must not touch."""

import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from toy_board import HOSTILE, HOSTILE_END, TRACK, record_id

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.statistics.draws import STEPS, unpacked
from leaderboard.board import load_board
from leaderboard.build import MARKER, build_site
from leaderboard.citation import bibtex, citations
from leaderboard.plots import method_looks
from leaderboard.render import compact_json, number, slug
from leaderboard.run_values import left_out
from leaderboard.strata_plots import stratum_plots
from leaderboard.tables import overall_rows


class Links(HTMLParser):
    """Collects the targets that a page loads or links to, and its element ids."""

    def __init__(self, page):
        super().__init__()
        self.targets, self.ids = [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.targets += [value for name, value in attrs if name in ("src", "href")]
        self.ids |= {value for name, value in attrs if name == "id"}


def loaded(site, path):
    """The content of a data file."""
    name, content = json.loads(f"[{(site / path).read_text()[len('dataLoaded(') : -3]}]")
    assert name == path
    return content


def pages_of(site):
    return sorted(site.rglob("*.html"))


def page_of(site, variant, name, seed=0):
    return site / "records" / f"{record_id(variant, name, seed)}.html"


def row_of(page, name):
    """The text of a method's first row on a page, without tags."""
    rows = re.findall(r"<tr.*?</tr>", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    row = next(r for r in rows if f">{name}</a>" in r)
    return " ".join(re.sub(r"<[^>]*>", " ", row).split())


@pytest.fixture(scope="module")
def board(filled):
    return load_board(filled.store.root)


@pytest.fixture(scope="module")
def rows(board):
    return {row.name: row for row in overall_rows(board.tracks[0])}


def test_every_record_of_a_scored_track_has_a_page(site, filled):
    expected = {f"{r.id}.html" for r in filled.store.read_all() if r.track == TRACK}
    assert {page.name for page in (site / "records").iterdir()} == expected


def test_links_resolve_and_nothing_is_loaded_from_elsewhere(site):
    for page in pages_of(site):
        for target in Links(page).targets:
            assert not re.match(r"(\w+:|//)", target), (page, target)
            path, _, fragment = target.partition("#")
            file = (page.parent / unquote(path)).resolve() if path else page
            assert file.is_file(), (page, target)
            chosen = "=" in fragment  # read by the page's script
            assert not fragment or chosen or fragment in Links(file).ids, (page, target)
    assert "url(" not in (site / "static" / "site.css").read_text()


def test_what_models_and_errors_say_is_text_and_never_markup(site):
    for page in (*pages_of(site), *site.glob("data/**/*.js")):
        content = page.read_text(encoding="utf-8")
        assert "<script>alert" not in content
        assert "<img" not in content
    answers = loaded(site, f"data/records/{record_id('low', 'gentle', 0)}.js")["answers"]["own"]
    texts = [text for example in answers for text, _, _ in example]
    assert HOSTILE in texts
    assert HOSTILE_END in texts


def test_the_index_holds_the_ranking_and_loads_the_other_tables(site):
    index = (site / "index.html").read_text()
    assert index.count('<table class="ranking"') == 1
    choices = json.loads(re.search(r'id="views">(.*?)</script>', index)[1])
    assert list(choices) == [TRACK]
    assert list(choices[TRACK]) == ["all tasks", "frequency", "frequency/high", "frequency/low"]
    for variant in ("high", "low"):
        part = loaded(site, choices[TRACK][f"frequency/{variant}"]["file"])
        assert part.count("<table") == 1
        assert f'href="records/{record_id(variant, "gentle", 0)}.html"' in part


def test_answers_after_attacks_stand_beside_their_examples(site):
    answers = loaded(site, f"data/records/{record_id('low', 'harsh', 0)}.js")["answers"]
    examples = loaded(site, f"data/examples/{TRACK}/frequency--low.js")
    asked = {
        example["split"]
        for n, example in enumerate(examples["examples"])
        if str(n) in answers["attacked"]["shaken"]
    }
    assert asked == {"forget"}
    assert examples["runs"]["harsh"] == {"0": record_id("low", "harsh", 0)}


def test_draws_of_rows_are_those_of_the_standings(site, board):
    draws = loaded(site, f"data/draws/{TRACK}/harsh.js")["frequency/low"]
    rows = board.tracks[0].standings.variants
    row = rows[(rows["method"] == "harsh") & (rows["variant"] == "low")].iloc[0]
    for quantity in ("score", "utility"):
        assert abs(unpacked(draws[quantity])[0] - row[quantity]) < 1 / STEPS
    assert "privacy" not in draws  # uninformative here


def test_failures_are_shown_with_their_message_and_without_numbers(site, rows):
    assert (
        "ValueError: &lt;img src=x onerror=alert(3)&gt;"
        in page_of(site, "low", "broken").read_text()
    )
    assert "ValueError: &lt;img" in (site / "index.html").read_text()
    assert rows["broken"].state == "failed"
    assert rows["broken"].quantities == {}
    assert (
        row_of(site / "index.html", "broken")
        == "– broken failed sees forget – – – – – – – – – 0 of 2 2 failed"
    )


def test_where_everything_failed_the_failures_are_still_shown(tmp_path, make_folder):
    folder = make_folder(tmp_path / "results")
    folder.add_error("low", "target")
    folder.add_error("low", "broken")
    site = build_site(folder.store.root, tmp_path / "site").parent
    assert row_of(site / "index.html", "broken").endswith("0 of 1 1 failed")
    assert "this variant cannot be scored" in loaded(site, f"data/views/{TRACK}/frequency.js")
    assert "&lt;img" in page_of(site, "low", "target").read_text()


def test_a_method_without_target_and_oracles_has_examples_but_no_score(tmp_path, make_folder):
    folder = make_folder(tmp_path / "results")
    folder.add("low", "harsh")
    site = build_site(folder.store.root, tmp_path / "site").parent
    assert row_of(site / "index.html", "harsh").startswith("– harsh unscored sees forget – – – – –")
    assert '"id":"forget-0"' in (site / "data/examples" / TRACK / "frequency--low.js").read_text()


def test_tracks_are_chosen_from_those_of_pretrained_models_first(folder):
    folder.add_error("low", "broken", track="controlled-toy")
    index = build_site(folder.store.root, folder.store.root.parent / "site").read_text()
    tracks = re.search(r'<select name="track">(.*?)</select>', index)[1]
    assert re.findall(r"<option>(.*?)</option>", tracks) == [TRACK, "controlled-toy"]


def test_rows_that_cannot_be_told_apart_are_tied(site, rows):
    assert (rows["gentle"].rank, rows["twin"].rank) == (1, 1)
    assert rows["gentle"].tied
    assert rows["harsh"].rank == 3
    assert not rows["harsh"].tied
    assert row_of(site / "index.html", "twin").startswith("1 = twin sees forget")


def test_incomplete_rows_and_anchors_are_not_ranked(site, rows):
    assert (rows["hasty"].rank, rows["hasty"].state) == (None, "incomplete")
    assert rows["none"].rank is None
    assert row_of(site / "index.html", "hasty").startswith("– hasty incomplete")
    assert row_of(site / "index.html", "none").startswith("– none anchor")


def test_quantities_stand_with_their_intervals(site, rows):
    score = rows["harsh"].quantity("score")
    assert score.low <= score.value <= score.high
    assert f"{score.value:.3f} {score.low:.3f}–{score.high:.3f}" in row_of(
        site / "index.html", "harsh"
    )


def test_development_tracks_are_left_out_and_named(site, board):
    assert [track.name for track in board.tracks] == [TRACK]
    assert "hidden: toy-dev" in (site / "index.html").read_text()


def test_frequencies_of_all_variants_are_in_one_figure(board):
    track = board.tracks[0]
    groups = stratum_plots(track.standings, "frequency", method_looks(overall_rows(track)))
    figures = {group.title: group.plots[0].figure for group in groups if len(group.plots) == 1}
    assert list(figures) == ["Paraphrased probability by frequency", "Exact answer by frequency"]
    lines = {
        trace["name"]: trace for trace in figures["Paraphrased probability by frequency"]["data"]
    }
    assert set(lines) == {"target", "oracle", "gentle", "twin", "harsh", "hasty"}
    assert lines["target"]["x"] == [1, 2, 16, 32]
    assert all(t > o + 0.4 for t, o in zip(lines["target"]["y"], lines["oracle"]["y"], strict=True))
    assert all(up >= 0 for up in lines["harsh"]["error_y"]["array"])


def test_metrics_on_which_oracles_disagree_are_listed_with_the_reason(folder):
    samples = folder.samples("low", "target", 0)  # the oracle knows as much as the target
    folder.add("low", "oracle", 2, samples)
    found = left_out(load_board(folder.store.root).tracks[0])
    row = next(row for row in found["frequency/low"] if row.metric == "paraphrased_probability")
    assert abs(row.target - row.oracle) < row.spread
    page = (
        build_site(folder.store.root, folder.store.root.parent / "site")
        .with_name("left-out.html")
        .read_text()
    )
    assert "<td>paraphrased_probability</td>" in page
    assert row.reason in page
    assert "paraphrased_probability" not in {row.metric for row in found["frequency/high"]}


def test_values_stand_beside_those_of_the_references(site, filled):
    values = loaded(site, f"data/records/{record_id('low', 'harsh', 0)}.js")["values"]
    record = next(r for r in filled.store.read_all() if r.id == record_id("low", "harsh", 0))
    value = next(v for v in record.value_rows() if (v.stage, v.metric) == ("model", "truth_ratio"))
    [row] = [r for r in values["rows"] if r[:4] == ["model", "forget", "truth_ratio", "all"]]
    assert row[4] == pytest.approx(value.value, rel=1e-4)
    assert row[5:7] == [value.n_scored, value.n_failed]
    assert None not in row


def test_citation_names_track_version_and_records(site):
    page = (site / "methods" / TRACK / "twin.html").read_text()
    citation = re.search(r"<textarea.*?>(.*?)</textarea>", page, flags=re.DOTALL)[1]
    assert citation.startswith("Palimpsest 0.")
    assert f"track {TRACK}: twin, score 0." in citation
    assert "rank 1 (tied)" in citation
    assert {record_id(v, "twin", 0) for v in ("low", "high")} <= set(
        re.findall(r"[0-9a-f]{16}", citation)
    )


def test_the_command_cites_a_row_as_its_page_does(filled, site):
    (text, entry), *others = citations(filled.store.root, "twin", TRACK, Derived())
    assert not others
    page = (site / "methods" / TRACK / "twin.html").read_text()
    cited = re.findall(r"<textarea.*?>(.*?)</textarea>", page, flags=re.DOTALL)
    assert [html.unescape(block) for block in cited] == [text, entry]
    assert entry.startswith("@misc{palimpsest-twin-")
    assert entry.count("{") == entry.count("}") == 6


def test_the_key_of_an_entry_ends_where_its_fields_begin(board):
    track = board.tracks[0]
    row = replace(overall_rows(track)[0], name="me_gd (direction=to_uniform, positions=all)")
    key, _, fields = bibtex(track, row).partition(",\n")
    assert re.fullmatch(r"@misc\{palimpsest-me_gd-direction-to_uniform-positions-all-[\w-]+", key)
    assert fields.startswith("  author")


def test_what_latex_would_take_for_commands_is_escaped(board):
    track = board.tracks[0]
    row = replace(overall_rows(track)[0], name=r"mine (share=50%, of=a_b & c#1, ^x~{y}\z$)")
    _, _, fields = bibtex(track, row).partition(",\n")
    assert (
        r"mine (share=50\%, of=a\_b \& c\#1, \textasciicircum{}x\textasciitilde{}\{y\}"
        r"\textbackslash{}z\$)"
    ) in fields


def test_citing_what_is_not_there_is_bad_input(filled):
    with pytest.raises(BadInput, match="no row 'twins'"):
        citations(filled.store.root, "twins", "", Derived())
    with pytest.raises(BadInput, match="no row 'twin' on the track elsewhere"):
        citations(filled.store.root, "twin", "elsewhere", Derived())


def test_scores_by_a_proxy_are_marked_where_they_are_read_and_cited(folder):
    former = next(r for r in folder.store.read_all() if r.id == record_id("low", "twin", 0))
    folder.add("low", "twin", references=former.references.model_copy(update={"proxy": True}))
    site = build_site(folder.store.root, folder.store.root.parent / "site").parent
    index = (site / "index.html").read_text()
    no_model = 'where no <a href="about.html#proxy">retrained model</a> exists'
    assert f"on 1 of 2 variants (frequency/low), {no_model}" in index
    cited = re.search(
        r"<textarea.*?>(.*?)</textarea>",
        (site / "methods" / TRACK / "twin.html").read_text(),
        re.DOTALL,
    )
    assert "(proxy reference: frequency/low)" in cited[1]


def test_the_newest_record_of_a_cell_counts_and_the_older_is_named(folder):
    old = next(r for r in folder.store.read_all() if r.id == record_id("low", "harsh", 0))
    later = old.provenance.model_copy(update={"created": "2025-06-01T00:00:00+00:00"})
    new = folder.add(
        "low", "harsh", samples=folder.samples("low", "gentle", 0), source="s1", provenance=later
    )
    board = load_board(folder.store.root)
    assert [
        r.id
        for r in board.tracks[0].records
        if (r.method.name, r.variant) == (old.method.name, old.variant)
    ] == [new.id]
    assert [r.id for r in board.superseded] == [old.id]
    index = build_site(folder.store.root, folder.store.root.parent / "site").read_text()
    assert old.id in index


def test_a_record_compared_with_a_former_target_is_superseded(folder):
    former = next(r for r in folder.store.read_all() if r.id == record_id("low", "harsh", 0))
    folder.add("low", "harsh", references=former.references.model_copy(update={"target": "former"}))
    board = load_board(folder.store.root)
    assert [r.id for r in board.superseded] == [former.id]
    assert {row.name: row.state for row in overall_rows(board.tracks[0])}["harsh"] == "partial"


def test_records_of_seeds_that_start_from_targets_of_their_own_are_current(folder):
    target = next(r for r in folder.store.read_all() if r.id == record_id("low", "target", 0))
    of_its_own = target.references.model_copy(update={"target": record_id("low", "target", 1)})
    folder.add("low", "target", 1, references=of_its_own)
    folder.add("low", "harsh", 1, references=of_its_own)
    board = load_board(folder.store.root)
    assert not board.superseded
    targets = {r.seed: r.references.target for r in board.tracks[0].records if r.variant ==
               target.variant and r.method.name == "harsh"}  # fmt: skip
    assert (targets[0], targets[1]) == (target.id, of_its_own.target)


def test_a_target_of_former_data_and_its_runs_are_superseded_with_the_first(folder):
    """This happens when a changed setup is rerun with fewer seeds."""
    target = next(r for r in folder.store.read_all() if r.id == record_id("low", "target", 0))
    former = {"target": record_id("low", "target", 1), "oracles": ["former", "other"]}
    of_former = target.references.model_copy(update=former)
    folder.add("low", "target", 1, references=of_former)
    run = folder.add("low", "harsh", 1, references=of_former)
    superseded = {r.id for r in load_board(folder.store.root).superseded}
    assert superseded == {record_id("low", "target", 1), run.id}


def test_the_same_records_give_the_same_bytes(filled, site, tmp_path):
    again = build_site(filled.store.root, tmp_path / "again").parent
    files = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((site / file).read_bytes() == (again / file).read_bytes() for file in files)


def test_a_folder_without_records_is_refused(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(BadInput, match="no records to show"):
        build_site(tmp_path / "results", tmp_path / "site")
    with pytest.raises(BadInput, match="no records to show"):
        build_site(tmp_path / "nowhere", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_development_tracks_alone_are_refused(tmp_path, make_folder):
    make_folder(tmp_path / "results").add_error("low", "broken", track="toy-dev")
    with pytest.raises(BadInput, match="only development tracks"):
        build_site(tmp_path / "results", tmp_path / "site")


def test_a_folder_that_is_no_site_is_never_touched(filled, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(BadInput, match="not a Palimpsest site"):
        build_site(filled.store.root, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"
    with pytest.raises(BadInput, match="is a file"):
        build_site(filled.store.root, tmp_path / "thesis" / "chapter1.tex")


def test_a_former_site_is_replaced_as_a_whole(filled, tmp_path):
    out = tmp_path / "site"
    (out / "records").mkdir(parents=True)
    (out / MARKER).touch()
    (out / "records" / "gone.html").touch()
    assert build_site(filled.store.root, out) == out / "index.html"
    assert not (out / "records" / "gone.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("damage", ["record", "samples"])
def test_a_failing_build_leaves_the_former_site_alone(folder, tmp_path, damage):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / MARKER).touch()
    (tmp_path / "site" / "index.html").write_text("former")
    pattern = {"record": "*.json", "samples": "*.parquet"}[damage]
    sorted(folder.store.root.rglob(pattern))[0].write_text("{}")
    with pytest.raises(BadInput):
        build_site(folder.store.root, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_text() == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "site"]


def test_no_model_library_is_imported(filled, tmp_path):
    code = (
        "import sys; from pathlib import Path; from leaderboard.build import build_site;"
        "build_site(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", code, str(filled.store.root), str(tmp_path / "site")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_slugs_are_plain_and_keep_names_apart():
    assert slug("frequency/low") == "frequency--low"
    hostile = ["..", "../up", "a b", "a  b", "beta=1", "beta=1.0", "ü", "", "/"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", slug(name)) for name in hostile)
    assert len({slug(name) for name in hostile}) == len(hostile)


def test_numbers_and_json_never_show_nan():
    assert number(float("nan")) == "–"
    assert number(0.12345) == "0.123"
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact_json({"value": float("nan")})
