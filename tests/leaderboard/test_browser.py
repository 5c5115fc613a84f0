"""The built site in a browser, opened from files: sorting, filtering, comparing, plots, that it
stays within the screen, and that it can be used by everybody.
"""

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import pytest
from toy_board import FREQUENCIES, HOSTILE, HOSTILE_END, TRACK, record_id

from benchmark.records.frames import ExampleFrames, index_frame
from benchmark.statistics.comparison import compare
from leaderboard.build import build_site

RESULTS = Path(__file__).resolve().parents[2] / "results"
POOLS, SIZES = "controlled-250k-pools-dev", ("study-250k", "study-1m")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 700}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is missing: install the system's package"
    ),
]


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: pip install playwright"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """Opens pages of the site, and keeps what goes wrong: messages of the console, errors,
    dialogs, remote requests.
    """

    def __init__(self, browser, address, **context):
        self._context = browser.new_context(**context)
        self._address = address
        self.page = self._context.new_page()
        self.trouble = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.trouble.append(dialog.message), dialog.dismiss())
        )
        ours = ("data:", f"{address}/")
        self.page.on("request", lambda r: r.url.startswith(ours) or self.trouble.append(r.url))

    def open(self, path):
        self.page.goto("about:blank")
        self.page.goto(f"{self._address}/{path}")
        return self.page

    def close(self):
        self._context.close()


@pytest.fixture(scope="module")
def visits(browser, site):
    opened = []

    def visit(**context):
        opened.append(Visit(browser, site.as_uri(), **({"viewport": DESKTOP} | context)))
        return opened[-1]

    yield visit
    for one in opened:
        one.close()


@pytest.fixture
def visit(visits):
    """A visit on a desktop screen; whatever the test did, nothing went wrong in the browser."""
    own = visits()
    yield own
    assert own.trouble == []


RECORD = f"records/{record_id('low', 'gentle', 0)}.html"
PAGES = {
    "index": "index.html",
    "variant": f"index.html#track={TRACK}&task=frequency%2Flow",
    "compare": f"compare.html#track={TRACK}&row=harsh&row=gentle&row=none",
    "explore": f"explore.html#track={TRACK}&variant=frequency%2Flow&row=gentle&attack=shaken",
    "task": "tasks/frequency.html",
    "method": f"methods/{TRACK}/gentle.html",
    "record": RECORD,
    "reference": f"records/{record_id('low', 'oracle', 2)}.html",
    "failure": f"records/{record_id('low', 'broken', 0)}.html",
    "attacks": "attacks.html",
    "attack": "attacks/shaken.html",
    "metric": "metrics/truth_ratio.html",
    "claims": "claims.html",
    "practice": "practice.html",
    "left out": "left-out.html",
    "about": "about.html",
    "submit": "submit.html",
    "downloads": "downloads.html",
}
READY, LARGEST = 2, 2e6  # seconds; bytes
SLOWER = 4  # times that a phone computes than this machine does
CRITERIA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def names(page, table="#view table"):
    return page.locator(f"{table} tbody th a").all_inner_texts()


def heading(page, column):
    return page.locator(f'#view th[data-column="{column}"]')


def sorting(page, column):
    return heading(page, column).get_attribute("aria-sort")


def click(page, column):
    """Sorts by a column; the table may take a moment."""
    before = sorting(page, column)
    heading(page, column).click()
    place = f"document.querySelector('#view th[data-column=\"{column}\"]')"
    page.wait_for_function(f"{place}.getAttribute('aria-sort') !== {json.dumps(before)}")


def examples(page):
    page.wait_for_selector("#examples tbody")
    return page.locator("#examples tbody td.expected").all_inner_texts()


@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_pages_open_without_trouble_and_fit_the_screen(visits, path, width):
    visit = visits(viewport=width)
    page = visit.open(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert visit.trouble == []


class Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served(site):
    """The address of the site on a web server, in a folder of it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{site.name}"
        server.shutdown()


@pytest.mark.parametrize("name", ["index", "variant", "compare", "explore", "record", "method"])
def test_pages_open_from_a_web_server(browser, served, name):
    visit = Visit(browser, served, viewport=DESKTOP)
    visit.open(PAGES[name])
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.locator("h1").is_visible()
    assert visit.trouble == []
    visit.close()


AUDITED = [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)]


@pytest.mark.parametrize(("scheme", "width"), AUDITED, ids=["light", "dark", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_meet_level_aa(visits, name, scheme, width):
    assert_level_aa(visits(color_scheme=scheme, viewport=width).open(PAGES[name]))


def assert_level_aa(page):
    """With everything unfolded."""
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
    """The address of a site that has the pages of metrics and of scaling as well: from published
    pools, and methods at two sizes.
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
@pytest.mark.parametrize("path", ["metrics.html", "scaling.html"])
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


def test_tables_sort_by_click_and_missing_values_stay_last(visit):
    page = visit.open("index.html")
    assert sorting(page, "score") == "descending"
    assert names(page)[-1] == "broken"
    click(page, "utility")
    best = names(page)
    assert (sorting(page, "utility"), sorting(page, "score")) == ("descending", None)
    assert best[0] == "none"
    assert best[-1] == "broken"
    click(page, "utility")
    assert sorting(page, "utility") == "ascending"
    assert names(page)[0] == "harsh"
    assert names(page)[-1] == "broken"
    click(page, "method")
    assert names(page) == sorted(best)


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


def test_a_variant_has_a_table_a_plot_and_an_address_of_its_own(visit):
    page = visit.open("index.html")
    page.select_option("[name=task]", "frequency/high")
    page.wait_for_function("!document.querySelector('#view th[data-column=rank]')")
    assert page.url.endswith("#task=frequency%2Fhigh")
    page.wait_for_selector("#view .main-svg")
    click(page, "utility")
    address = page.url.rsplit("/", 1)[1]
    shown = names(page)
    page = visit.open(address)
    page.wait_for_function("!document.querySelector('#view th[data-column=rank]')")
    assert page.input_value("[name=task]") == "frequency/high"
    assert sorting(page, "utility") == "descending"
    assert names(page) == shown


def test_what_is_chosen_is_in_the_address_and_comes_back_from_it(visit):
    page = visit.open("index.html")
    page.fill("[name=search]", "GENT")
    page.locator("summary", has_text="Filters").click()
    page.uncheck("[name=anchors]")
    page.locator("summary", has_text="Columns").click()
    page.check("[name=column][value=tokens]")
    page.uncheck("[name=column][value=seconds]")
    shown = names(page)
    assert shown == ["gentle"]
    page = visit.open(page.url.rsplit("/", 1)[1])
    assert names(page) == shown
    assert page.input_value("[name=search]") == "GENT"
    assert heading(page, "tokens").is_visible()
    assert heading(page, "seconds").count() == 0


def test_filters_by_what_methods_see(visit):
    page = visit.open("index.html")
    everything = names(page)  # all of them see the forget set alone, so one is told to see more
    page.evaluate("document.querySelector('tr[data-name=harsh]').dataset.sees = 'forget retain'")
    page.locator("summary", has_text="Filters").click()
    page.check("[name=retainfree]")
    assert names(page) == [name for name in everything if name != "harsh"]
    page.uncheck("[name=retainfree]")
    assert names(page) == everything


def test_plots_are_drawn_with_all_rows_that_are_shown(visit):
    page = visit.open("index.html")
    page.wait_for_selector("#view .main-svg")
    drawn = "document.querySelector('#view .canvas').data.map(({ name }) => name).filter(Boolean)"
    assert set(page.evaluate(drawn)) == {"gentle", "twin", "harsh", "hasty", "none"}
    page.fill("[name=search]", "harsh")
    page.wait_for_function(f"{drawn}.length === 1")
    assert page.evaluate(drawn) == ["harsh"]


def test_rows_that_are_picked_are_compared_as_the_command_compares_them(visit, filled):
    page = visit.open("index.html")
    page.check("[aria-label='Compare harsh']")
    assert not page.locator("#compare").is_visible()
    page.check("[aria-label='Compare gentle']")
    page.click("#compare")
    page.wait_for_selector("#comparison table")
    assert [select.input_value() for select in page.locator("[name=row]").all()[:2]] == [
        "gentle",
        "harsh",
    ]
    records = list(filled.store.read_all())
    index, frames = index_frame(records), ExampleFrames(filled.store, records)
    axes = compare(index[index["track"] == TRACK], frames, "gentle", "harsh").axes
    for label, variant in {"all shared variants": "mean", "frequency/low": "low"}.items():
        row = page.locator("#comparison tbody tr", has=page.locator(f"th:text-is('{label}')"))
        told = row.locator("td").first.inner_text().replace("−", "-").split()
        wanted = axes[(axes["variant"] == variant) & (axes["quantity"] == "score")].iloc[0]
        expected = [-wanted["difference"], -wanted["high"], -wanted["low"]]
        assert [float(told[n]) for n in (0, 1, 3)] == pytest.approx(expected, abs=6e-4)


def test_rows_stay_picked_on_other_views_and_in_the_address(visit):
    page = visit.open("index.html")
    page.check("[aria-label='Compare harsh']")
    page.check("[aria-label='Compare gentle']")
    page.select_option("[name=task]", "frequency/high")
    page.wait_for_function("!document.querySelector('#view th[data-column=rank]')")
    assert page.locator("#compare").inner_text() == "Compare 2 rows"
    page = visit.open(page.url.rsplit("/", 1)[1])
    page.wait_for_function("document.querySelectorAll('.pick input:checked').length === 2")
    assert page.locator("#compare").get_attribute("href").endswith("&row=gentle&row=harsh")


def test_panels_close_by_escape_and_by_a_click_elsewhere(visit):
    page = visit.open("index.html")
    panel = page.locator("details.panel", has_text="Filters")
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
        panel.locator("summary").click()
        assert panel.get_attribute("open") is not None
        leave()
        assert panel.get_attribute("open") is None


def test_rows_stay_picked_while_others_are_searched(visit):
    page = visit.open("index.html")
    page.check("[aria-label='Compare harsh']")
    page.fill("[name=search]", "gentle")
    page.check("[aria-label='Compare gentle']")
    page.fill("[name=search]", "")
    assert page.locator("#compare").inner_text() == "Compare 2 rows"
    assert page.is_checked("[aria-label='Compare harsh']")


def test_places_on_the_page_are_no_settings(visit):
    page = visit.open("index.html#task=frequency%2Fhigh")
    page.wait_for_function("!document.querySelector('#view th[data-column=rank]')")
    page.locator("nav a", has_text="Tasks").click()
    assert page.url.endswith("#tasks")
    assert page.input_value("[name=task]") == "frequency/high"
    page = visit.open("index.html#order=score")
    assert names(page)[-1] == "broken"


def test_examples_on_which_rows_differ(visit):
    page = visit.open(f"compare.html#track={TRACK}&row=harsh&row=gentle")
    page.locator("#comparison a", has_text="examples").first.click()
    page.wait_for_selector("#examples tbody")
    assert page.input_value("[name=outcome]") == "differ"
    columns = page.locator("#examples thead th").all_inner_texts()
    assert columns[-2:] == ["harsh", "gentle"]
    for body in page.locator("#examples tbody").all():
        right = [body.locator(f"td:nth-last-child({n}) .right").count() > 0 for n in (1, 2)]
        assert right[0] != right[1]


def test_the_explorer_filters_by_outcome_and_stratum_before_and_after_an_attack(visit):
    place = f"track={TRACK}&variant=frequency%2Flow&row=harsh"
    page = visit.open(f"explore.html#{place}")
    everything = examples(page)
    page.select_option("[name=outcome]", "leaked")
    leaked = examples(page)
    page.select_option("[name=outcome]", "forgotten")
    assert page.locator("#examples tbody").count() + len(leaked) <= len(everything)
    assert page.locator("#examples tbody td:last-child .right").count() == 0
    page.select_option("[name=outcome]", "")
    page.select_option("[name=stratum]", "frequency 1")
    assert 0 < len(examples(page)) < len(everything)
    page.select_option("[name=attack]", "shaken")
    page.wait_for_function("document.querySelectorAll('#examples thead th').length === 7")
    assert page.locator("#examples thead th").all_inner_texts()[-1] == "harsh after shaken"
    assert page.locator("#examples mark").count() > 0


def test_what_the_oracle_still_knows_and_the_model_does_not_is_over_forgotten(visit):
    page = visit.open(f"explore.html#track={TRACK}&variant=frequency%2Flow&row=harsh&split=retain")
    everything = examples(page)
    page.select_option("[name=outcome]", "over")
    lost = page.locator("#examples tbody")
    assert 0 < lost.count() < len(everything)
    for body in lost.all():
        right = [body.locator(f"td:nth-last-child({n}) .right").count() > 0 for n in (1, 2)]
        assert right == [False, True]


def test_a_task_has_plots_by_frequency_with_target_and_oracles_and_one_against_generation(visit):
    page = visit.open("tasks/frequency.html")
    page.evaluate("document.querySelectorAll('.fold').forEach((fold) => { fold.open = true })")
    plots = page.locator(".canvas")
    assert plots.count() == 3
    for i, references in enumerate([{"target", "oracle"}, {"target", "oracle"}, set()]):
        plots.nth(i).scroll_into_view_if_needed()
        plots.nth(i).locator(".main-svg").first.wait_for()
        assert legend(plots.nth(i)) == references | {"gentle", "twin", "harsh", "hasty"}


def legend(plot):
    return set(plot.locator(".legendtext").all_text_contents())


def test_examples_are_filtered_by_split_text_and_answer(visit):
    page = visit.open(RECORD)
    assert len(examples(page)) == 6
    page.select_option("[name=split]", "retain")
    assert len(examples(page)) == 4
    page.select_option("[name=split]", "")
    page.fill("[name=text]", "PERSON 3 of forget")
    assert [text.split()[0] for text in examples(page)] == ["Townforget3"]
    page.fill("[name=text]", "")
    page.check("[name=answered]")
    rows = page.locator("#examples tbody")
    assert all(rows.nth(i).locator("td:last-child .right").count() for i in range(rows.count()))


@pytest.mark.parametrize(
    ("name", "seed"), [("target", 0), ("oracle", 1), ("oracle", 2), ("gentle", 0)]
)
def test_answers_stand_beside_those_of_target_and_oracle(visit, name, seed):
    page = visit.open(f"records/{record_id('low', name, seed)}.html")
    page.wait_for_selector("#examples tbody")
    columns = page.locator("#examples thead th").all_inner_texts()[3:]
    assert (
        columns
        == {
            "target": ["oracle", "target"],
            "oracle": ["target", "oracle"] if seed == 1 else ["target", "oracle", "oracle"],
            "gentle": ["target", "oracle", "gentle"],
        }[name]
    )
    assert page.locator("#examples tbody tr").first.locator("td .answer").count() == len(columns)


def test_what_a_model_said_is_shown_as_text(visit):
    page = visit.open(RECORD)
    page.wait_for_selector("#examples tbody")
    cells = page.locator("#examples tbody").first.locator("td:last-child").all_inner_texts()
    assert HOSTILE in cells[0]
    assert HOSTILE_END in cells[1]


def test_citation_is_copied(visits):
    visit = visits(permissions=["clipboard-read", "clipboard-write"])
    page = visit.open(PAGES["method"])
    page.click("button.copy")
    page.wait_for_function("document.querySelector('button.copy').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("Palimpsest")


def test_a_permalink_says_if_the_row_has_changed_since(visit):
    page = visit.open(PAGES["method"])
    page.click("#permalink")
    assert not page.locator("#changed").is_visible()
    page = visit.open(f"{PAGES['method']}#digest=0123456789abcdef")
    assert page.locator("#changed").is_visible()


def test_dark_where_the_system_is_dark(visits):
    page = visits(color_scheme="dark").open("index.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    page.wait_for_selector("#view .xtitle")
    light = visits().open("index.html")
    light.wait_for_selector("#view .xtitle")
    fill = "getComputedStyle(document.querySelector('.canvas .xtitle')).fill"
    assert page.evaluate(fill) != light.evaluate(fill)


def test_the_first_page_is_small_and_ready_on_a_phone(browser, site):
    """Without the library of plots, which comes when a plot is near the screen. Ready is what the
    page's thread computes, which other processes of this machine do not slow down.
    """
    context = browser.new_context(viewport=PHONE)
    page, loaded = context.new_page(), []
    counters = context.new_cdp_session(page)
    counters.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{site.as_uri()}/index.html")
    page.wait_for_selector("#view .dt-container")
    found = {m["name"]: m["value"] for m in counters.send("Performance.getMetrics")["metrics"]}
    assert 0 < SLOWER * found["TaskDuration"] < READY
    files = [url.removeprefix(site.as_uri()).partition("#")[0] for url in loaded]
    size = sum((site / name.lstrip("/")).stat().st_size for name in files if "plotly" not in name)
    assert size < LARGEST
    context.close()
