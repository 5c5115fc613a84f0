"""Submitting a row: incomplete, invalid or undeclared parts are refused, and nothing is written."""

import shutil

import pytest
import yaml
from forging import FAILED, column, findings, outputs_file, path_of, reseal, rewrite
from typer.testing import CliRunner

from benchmark.authoring.tuning import write_chosen
from benchmark.cli import app
from benchmark.core import registry
from benchmark.models import track_files
from benchmark.pipeline.plan import Cell, Plan
from benchmark.pipeline.suite import Suite
from benchmark.records.marks import read_marks
from benchmark.records.store import ResultStore, read_record

METHOD = '''
from benchmark.api import GradientMethod, register_method

@register_method("alpha", reference="", family="test", sees={"forget"})
class Alpha(GradientMethod):
    """Ascends on towns."""

    def loss(self, batch):
        return -self.nll(batch.forget).mean()
'''
CARD = {
    **{"method": "alpha", "authors": ["Ada", "Bob"], "paper": "none"},
    **{"code": "https://example.org/alpha", "compute": "two cores, a minute"},
    **{"division": "weights", "data": "none"},
}


def cell_of(record):
    recipes = {stage: shard.recipe for stage, shard in record.shards.items()}
    named = record.references
    return Cell(
        record.identity,
        record.method.name,
        {},
        record.evaluation,
        recipes,
        "world",
        named.target,
        tuple(named.oracles),
    )


def planned(cells, results):
    suite = Suite(
        name="toy", description="", tracks=["toy"], tasks=["towns"], methods=["alpha"], oracles=2
    )
    references = tuple(c for c in cells if c.method in ("target", "oracle"))
    own = tuple(c for c in cells if c.method == "alpha")
    cached = frozenset(c.id for c in (*own, *references) if c.is_done(results))
    return Plan(suite, own, references, cached)


@pytest.fixture
def place(results, tmp_path, monkeypatch):
    """A folder with a method, its card, and the records of a plan, all valid."""
    for path in results.paths():
        reseal(path, lambda r: r["provenance"].update(commit="c" * 40))
    cells = [cell_of(record) for record in results.read_all()]
    monkeypatch.setattr(registry, "_METHODS", dict(registry.methods()))
    monkeypatch.setattr(
        "benchmark.cli.submit_commands.planned_of", lambda *_, **__: planned(cells, results)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "home"))
    (tmp_path / "alpha.py").write_text(METHOD)
    write_card(tmp_path)
    return tmp_path


def write_card(place, **changes):
    card = {name: value for name, value in (CARD | changes).items() if value is not ...}
    (place / "card.yaml").write_text(yaml.safe_dump(card))


def submit(place, *options):
    words = ["submit", "alpha.py", "--results", "results", "--out", "pack", *options]
    return CliRunner().invoke(app, words)


def refused(place, *options):
    """Asserts that a submission is refused and leaves no files behind; returns its message."""
    before = {path.name for path in place.iterdir()}
    done = submit(place, *options)
    assert done.exit_code == 2, done.output
    assert {path.name for path in place.iterdir()} - before <= {"home", "__pycache__"}
    return done.stderr.strip()


def test_the_pack_validates_from_its_own_folder(place, results):
    done = submit(place)
    assert done.exit_code == 0, done.stderr
    pack = place / "pack"
    packed = ResultStore(pack / "results")
    assert findings(packed) == []
    assert {r.method.name for r in packed.read_all()} == {"alpha", "target", "oracle"}
    assert (pack / "methods/alpha.py").read_text() == METHOD
    assert yaml.safe_load((pack / "submissions/alpha/card.yaml").read_text()) == CARD
    for path in packed.paths():
        original = results.root / path.relative_to(packed.root)
        assert path.read_bytes() == original.read_bytes()


@pytest.mark.parametrize("tuned", ["alpha", "beta"])
def test_rates_that_trials_chose_for_the_method_are_part_of_the_pack(place, tuned, monkeypatch):
    monkeypatch.setattr(track_files, "CHOSEN", place)
    write_chosen(place / "toy.yaml", {tuned: {"questions": 1e-4}})
    assert submit(place).exit_code == 0
    packed = place / "pack/benchmark/tracks/chosen/toy.yaml"
    assert packed.is_file() == (tuned == "alpha")
    if packed.is_file():
        assert packed.read_text() == (place / "toy.yaml").read_text()


def test_the_pack_is_marked_as_submitted_by_the_authors(place):
    submit(place)
    packed = ResultStore(place / "pack/results")
    (mark,) = read_marks(packed.root).marks
    own = {r.id: r.digest for r in packed.read_all() if r.method.name == "alpha"}
    assert (mark.mark, mark.by, mark.link) == ("submitted", "Ada, Bob", CARD["code"])
    assert mark.records == own


def test_the_text_says_what_the_row_is_how_it_compares_and_how_to_check_it(place, results):
    text = submit(place).stdout
    ids = [read_record(path).id for path in results.paths() if path.parent.name == "alpha"]
    for said in ("# `alpha` on toy", "Ascends on towns.", "- authors: Ada, Bob", *ids):
        assert said in text
    assert "`beta`" in text, "a neighbour"
    assert f"palimpsest replay {' '.join(ids)} --results results" in text
    (own,) = [line for line in text.splitlines() if "**`alpha`**" in line]
    score = own.split(" | ")[2].strip("*")
    assert score.count(".") == 3, f"a score with its interval: {score}"


def test_a_missing_record_is_named(place, results):
    path = path_of(results, "alpha")
    seed = read_record(path).seed
    outputs_file(path).unlink()
    path.unlink()
    assert refused(place) == (
        "palimpsest: results: 1 of 5 cells of the row are missing or failed, first "
        f"alpha · towns/low · seed {seed}: it has no record"
    )


def test_a_failed_cell_is_named_with_its_error(place, results):
    path = reseal(path_of(results, "alpha"), lambda r: r.update(FAILED))
    outputs_file(path).unlink()
    message = refused(place)
    assert "1 of 5 cells of the row are missing or failed" in message
    assert message.endswith("it failed: loss is NaN")


def test_a_missing_reference_is_named(place, results):
    path_of(results, "oracle").unlink()
    assert "first oracle · towns/low · seed" in refused(place)


def test_a_record_without_a_stage_is_incomplete(place, results):
    def drop(record):
        record["shards"].pop("shaken")

    reseal(path_of(results, "alpha"), drop)
    assert refused(place).endswith("its record lacks shaken")


@pytest.mark.parametrize("forge", [reseal, rewrite])
def test_a_tampered_record_is_refused(place, results, forge):
    """Both with a recomputed seal and with the old one."""
    path = forge(path_of(results, "alpha"), lambda r: column(r).__setitem__(0, 0.123456))
    message = refused(place)
    assert len(message.splitlines()) == 1
    assert f"{path.name}: {'values' if forge is reseal else 'seal'}: " in message


def test_tampered_outputs_are_refused(place, results):
    file = outputs_file(path_of(results, "alpha"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert "sha256" in refused(place)


def test_records_of_uncommitted_code_are_refused(place, results):
    reseal(path_of(results, "alpha"), lambda r: r["provenance"].update(dirty=True))
    assert "1 of 2 records do not come from committed code" in refused(place)
    reseal(path_of(results, "alpha"), lambda r: r["provenance"].update(dirty=False, commit="?"))
    assert "1 of 2 records do not come from committed code" in refused(place)


def test_another_division_than_that_of_the_records_is_refused(place):
    write_card(place, division="guardrail")
    assert refused(place) == (
        "palimpsest: card.yaml: division: is guardrail, the records are of the division weights"
    )


def test_without_a_card_a_template_is_written_that_says_what_is_missing(place):
    (place / "card.yaml").unlink()
    done = submit(place)
    assert done.exit_code == 2
    assert "card.yaml: no card found" in done.stderr
    lines = refused(place).splitlines()
    missing = ["authors", "paper", "code", "compute", "division", "data"]
    assert lines == [f"palimpsest: card.yaml: {name}: is missing" for name in missing]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paper": ...}, "paper: is missing"),
        ({"authors": []}, "authors: is missing"),
        ({"authors": "Ada"}, "authors: Input should be a valid list, found 'Ada'"),
        ({"authors": ["Ada\nEve"]}, "authors.0: String should match"),
        ({"paper": "soon"}, "paper: should be none, or a link that starts with https://"),
        ({"code": "https://"}, "code: should be a link that starts with https://"),
        ({"paper": f"https://{'x' * 500}"}, "paper: should be none, or a link that starts"),
        ({"code": "javascript:x()"}, "code: should be a link that starts with https://"),
        ({"division": "both"}, "division: Input should be 'weights' or 'guardrail'"),
        ({"licence": "MIT"}, "licence: there is no such field"),
        ({"method": "beta"}, "method: is beta, but alpha is submitted"),
    ],
)
def test_a_wrong_card_is_a_line_for_each_field(place, changes, message):
    write_card(place, **changes)
    (line,) = refused(place).splitlines()
    assert line.startswith(f"palimpsest: card.yaml: {message}")


@pytest.mark.parametrize("text", ["- a list", "authors: [", "\x00"])
def test_what_is_no_card_is_one_line(place, text):
    (place / "card.yaml").write_text(text)
    assert len(refused(place).splitlines()) == 1


def test_a_folder_that_holds_something_is_left_alone(place):
    (place / "pack").mkdir()
    (place / "pack/thesis.tex").write_text("years of work")
    assert "pack: exists and is not empty" in refused(place)
    assert [path.name for path in (place / "pack").iterdir()] == ["thesis.tex"]
    shutil.rmtree(place / "pack")
    (place / "pack").mkdir()
    assert submit(place).exit_code == 0


def test_a_method_of_several_files_is_refused(place):
    (place / "alpha.py").write_text(METHOD + "\n\ndef later():\n    from . import helper\n")
    assert "alpha.py: line 13 has a relative import" in refused(place)
