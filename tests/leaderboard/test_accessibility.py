"""Accessibility of the built site: level AA by axe, keyboard use and dark mode."""

import shutil
from itertools import product
from pathlib import Path

import pytest
from browsing import DESKTOP, IN_BROWSER, PAGES, PHONE, Visit, heading, names
from toy_board import FREQUENCIES

from leaderboard.build import build_site

RESULTS = Path(__file__).resolve().parents[2] / "results"
POOLS, SIZES = "controlled-250k-pools-dev", ("study-250k", "study-1m")
CRITERIA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AUDITED = [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)]

pytestmark = IN_BROWSER


@pytest.mark.parametrize(("scheme", "width"), AUDITED, ids=["light", "dark", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_meet_level_aa(visits, name, scheme, width):
    assert_level_aa(visits(color_scheme=scheme, viewport=width).open(PAGES[name]))


def assert_level_aa(page):
    """Checks level AA with everything unfolded."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="axe is missing: pip install axe-playwright-python",
    )
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    page.wait_for_load_state("networkidle")
    rules = {"runOnly": {"type": "tag", "values": CRITERIA}, "resultTypes": ["violations"]}
    found = axe.Axe().run(page, options=rules)
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, make_folder):
    """Address of a site that also has the pages of metrics and scaling, built from published pools
    and methods at two sizes.
    """
    root = tmp_path_factory.mktemp("whole")
    shutil.copytree(RESULTS / POOLS, root / "results" / POOLS)
    folder = make_folder(root / "results")
    for track, variant, name in product(SIZES, FREQUENCIES, ("target", "none", "gentle", "harsh")):
        folder.add(variant, name, 0, track=track)
        folder.add(variant, "oracle", 1, track=track)
        folder.add(variant, "oracle", 2, track=track)
    return build_site(folder.store.root, root / "site").parent.as_uri()


@pytest.mark.parametrize(("scheme", "width"), AUDITED, ids=["light", "dark", "phone"])
@pytest.mark.parametrize("path", ["metrics.html", "metrics/truth_ratio.html", "scaling.html"])
def test_pages_that_not_every_site_has_fit_the_screen_and_meet_level_aa(
    browser, whole, path, scheme, width
):
    visit = Visit(browser, whole, color_scheme=scheme, viewport=width)
    page = visit.open(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert visit.trouble == []
    assert_level_aa(page)
    visit.close()


def test_tables_sort_by_keyboard(visit):
    page = visit.open("index.html")
    heading(page, "rank").locator("[role=button]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('#view th[data-column="rank"][aria-sort="ascending"]')
    assert names(page)[2] == "harsh"


def test_the_controls_are_reached_by_keyboard(visit):
    page = visit.open("index.html")
    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.id"))
    wanted = ["track", "task", "division", "search"]
    assert [name for name in reached if name in wanted] == wanted
    assert "share" in reached


def test_rows_are_compared_by_keyboard(visit):
    page = visit.open("index.html")
    for name in ("harsh", "gentle"):
        page.locator(f"[aria-label='Compare {name}']").focus()
        page.keyboard.press("Space")
    page.locator("#compare").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#comparison table")
    assert page.locator("[name=row]").first.input_value() == "gentle"


def test_examples_are_filtered_and_folds_opened_by_keyboard(visit):
    page = visit.open(PAGES["explore"])
    page.wait_for_selector("#examples tbody")
    page.locator("[name=outcome]").focus()
    page.keyboard.press("ArrowDown")
    assert page.input_value("[name=outcome]") == "leaked"
    page = visit.open(PAGES["task"])
    fold = page.locator("details.fold").first
    before = fold.get_attribute("open")
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert (fold.get_attribute("open") is None) != (before is None)


def test_panels_close_by_escape_and_by_a_click_elsewhere(visit):
    page = visit.open("index.html")
    panel = page.locator("details.panel", has_text="Filters")
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
        panel.locator("summary").click()
        assert panel.get_attribute("open") is not None
        leave()
        assert panel.get_attribute("open") is None


def test_dark_where_the_system_is_dark(visits):
    page = visits(color_scheme="dark").open("index.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    page.wait_for_selector("#view .xtitle")
    light = visits().open("index.html")
    light.wait_for_selector("#view .xtitle")
    fill = "getComputedStyle(document.querySelector('.canvas .xtitle')).fill"
    assert page.evaluate(fill) != light.evaluate(fill)
