"""Documents that must agree with the code."""

import re
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

import benchmark
from benchmark.authoring.tuning import next_rates, searched, tunable
from benchmark.core.registry import tasks
from benchmark.models.track_files import CHOSEN
from benchmark.models.tracks import track_named
from benchmark.records.store import ResultStore
from benchmark.reports.attacks_page import attacks_page
from benchmark.reports.meta_page import meta_page
from benchmark.reports.methods_page import methods_page
from benchmark.reports.reference_pages import metrics_page
from benchmark.reports.tuning_page import chosen_rates, page, published_trials
from benchmark.statistics.axes import BARRED
from benchmark.statistics.axis_rule import ANSWERS, below_the_bar
from benchmark.statistics.meta_tables import meta_tables
from benchmark.statistics.trials import has_destroyed, rate_of
from leaderboard.documents import documents, made_from

ROOT = Path(__file__).resolve().parents[2]


def test_generated_pages_are_up_to_date():
    """`make docs` writes these pages."""
    assert (ROOT / "docs/METHODS.md").read_text() == methods_page(ResultStore(ROOT / "results"))
    assert (ROOT / "docs/METRICS.md").read_text() == metrics_page()
    assert (ROOT / "docs/ATTACKS.md").read_text() == attacks_page(ResultStore(ROOT / "results"))
    assert (ROOT / "docs/META.md").read_text() == meta_page(ResultStore(ROOT / "results"))


def test_no_metric_below_the_bar_feeds_an_axis():
    """Applies the rule of `statistics/axis_rule.py` to the pools in results/."""
    judged = meta_tables(ResultStore(ROOT / "results")).judged
    assert below_the_bar(judged) == []
    assert set(judged["form"]) == {"names", "sentences", "texts"}


def test_no_metric_is_barred_without_need():
    """Metrics that feed no axis for a form of answers fail the rule on that form."""
    judged = meta_tables(ResultStore(ROOT / "results")).judged
    verdicts = judged.set_index(["form", "metric"])["meets"]
    barred = [(f, m) for f, form in ANSWERS.items() for m in BARRED.get(form, ())]
    assert {place: bool(verdicts[place]) for place in barred} == dict.fromkeys(barred, False)


@pytest.fixture(scope="module")
def tried():
    """Trials of the tracks whose learning rates were chosen from them."""
    found = published_trials(ResultStore(ROOT / "results"))
    return {name: own for name, own in found.items() if track_named(name).chosen}


def test_tracks_have_the_rates_that_their_trials_speak_for(tried):
    assert tried.keys() == {path.stem for path in CHOSEN.glob("*.yaml")}
    for name, found in tried.items():
        track = track_named(name)
        assert chosen_rates(found, track.trials) == track.chosen


def test_every_method_had_all_its_trials_or_was_stopped(tried):
    for name, found in tried.items():
        trials = track_named(name).trials
        for place, records in found.items():
            own = [rate_of(record) for record in records]
            assert own == list(trials.rates[: len(own)]) or trials.search, place
            assert not next_rates(trials, records), place
            in_order = searched(trials, records)  # a search may go back to a smaller rate
            for before, after in combinations(in_order, 2):
                assert not has_destroyed(before) or rate_of(after) < rate_of(before), place


def test_the_page_of_trials_is_up_to_date():
    assert (ROOT / "docs/TUNING.md").read_text() == page(ResultStore(ROOT / "results"))


def test_the_commands_of_the_page_of_trials_run_what_its_tables_show():
    text = (ROOT / "docs/TUNING.md").read_text()
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        head, *parts = re.split(r"^### (\w+)$", section, flags=re.MULTILINE)
        tables = dict(zip(map(str.lower, parts[::2]), parts[1::2], strict=True))
        for command in re.findall(r"^Command: `palimpsest tune (.*)`", head, re.MULTILINE):
            named = command.partition("--track")[0].split()
            for family in re.findall(r"--family (\w+)", command) or list(tables):
                shown = re.findall(r"^\| `(\w+)` \|", tables.pop(family), re.MULTILINE)
                assert sorted(shown) == sorted(named or tunable([]))
        assert not tables, "families that no command runs"


def test_figures_were_made_from_the_records_that_are_committed():
    made = made_from(ResultStore(ROOT / "results"))
    assert f"Made from {made}.\n" in (ROOT / "docs/RESULTS.md").read_text()


@pytest.mark.audit
def test_the_figures_of_readme_and_cards_are_those_of_the_records(published):
    for path, text in documents(published).items():
        assert path.read_text() == text, path


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert benchmark.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_task_has_a_card_that_says_what_it_does_not_measure():
    for name in tasks():
        card = (ROOT / f"tasks/{name}/card.md").read_text()
        assert "does not measure" in card
        assert f"| version | {tasks()[name].version} |" in card


def test_links_between_documents_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tasks/*/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert link.startswith("http") or (path.parent / link).exists(), (path.name, link)


def test_readme_begins_with_the_two_commands():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert re.findall(r"^make \w+", blocks[0], flags=re.M) == ["make bench", "make test"]
