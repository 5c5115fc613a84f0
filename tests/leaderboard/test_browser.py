"""The built site in a browser, opened from files: sorting, filtering, plots, and that it stays
within the screen.
"""

import shutil

import pytest
from toy_board import HOSTILE, HOSTILE_END, TRACK, record_id

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

    def __init__(self, browser, site, **context):
        self._context = browser.new_context(**context)
        self._site = site
        self.page = self._context.new_page()
        self.trouble = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.trouble.append(dialog.message), dialog.dismiss())
        )
        self.page.on(
            "request", lambda r: r.url.startswith(("file:", "data:")) or self.trouble.append(r.url)
        )

    def open(self, path):
        self.page.goto("about:blank")
        self.page.goto(f"{self._site.as_uri()}/{path}")
        return self.page

    def close(self):
        self._context.close()


@pytest.fixture(scope="module")
def visits(browser, site):
    opened = []

    def visit(**context):
        opened.append(Visit(browser, site, **({"viewport": DESKTOP} | context)))
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
    "variant": f"index.html#view-{TRACK}-frequency--low",
    "method": f"methods/{TRACK}/gentle.html",
    "record": RECORD,
    "reference": f"records/{record_id('low', 'oracle', 2)}.html",
    "failure": f"records/{record_id('low', 'broken', 0)}.html",
    "left out": "left-out.html",
    "about": "about.html",
}


def names(page, table="section.view:not([hidden]) table"):
    return page.locator(f"{table} tbody th a").all_inner_texts()


def sorting(page, column):
    return page.locator("section.view:not([hidden]) th", has_text=column).first.get_attribute(
        "aria-sort"
    )


def click(page, column):
    page.locator("section.view:not([hidden]) thead button", has_text=column).click()


def examples(page):
    return page.locator("#examples tbody td.expected").all_inner_texts()


@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_pages_open_without_trouble_and_fit_the_screen(visits, path, width):
    visit = visits(viewport=width)
    page = visit.open(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert visit.trouble == []


def test_tables_sort_by_click_and_missing_values_stay_last(visit):
    page = visit.open("index.html")
    assert sorting(page, "score") == "descending"
    assert names(page)[-1] == "broken"
    click(page, "utility")
    best = names(page)
    assert (sorting(page, "utility"), sorting(page, "score")) == ("descending", "none")
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
    page.locator("section.view:not([hidden]) thead button", has_text="rank").focus()
    page.keyboard.press("Enter")
    assert sorting(page, "rank") == "ascending"
    assert names(page)[2] == "harsh"


def test_a_variant_has_a_table_a_plot_and_an_address_of_its_own(visit):
    page = visit.open("index.html")
    page.locator("select[data-views]").select_option(label="frequency/high")
    page.wait_for_selector("section.view:not([hidden]) table")
    assert page.url.endswith(f"#view-{TRACK}-frequency--high")
    assert "rank" not in page.locator("section.view:not([hidden]) thead").inner_text()
    page.wait_for_selector("section.view:not([hidden]) .main-svg")
    click(page, "utility")
    assert sorting(page, "utility") == "descending"
    click(page, "score")
    address = page.url.rsplit("/", 1)[1]
    shown = names(page)
    page = visit.open(address)
    page.wait_for_selector("section.view:not([hidden]) table")
    assert page.locator("section.view:visible").count() == 1
    assert names(page) == shown


def test_plots_are_drawn_with_all_methods_and_anchors(visit):
    page = visit.open("index.html")
    page.wait_for_selector(".canvas:visible .main-svg")
    assert legend(page.locator(".canvas:visible").nth(0)) == {
        "gentle",
        "twin",
        "harsh",
        "hasty",
        "none",
    }


def test_a_task_has_plots_by_frequency_with_target_and_oracles_and_one_against_generation(visit):
    page = visit.open("tasks/frequency.html")
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
    columns = page.locator("#examples thead th").all_inner_texts()[-3 if name == "gentle" else -2 :]
    assert columns == ["target", "oracle", "gentle"][: len(columns)]
    assert page.locator("#examples tbody tr").first.locator("td .answer").count() == len(columns)


def test_what_a_model_said_is_shown_as_text(visit):
    page = visit.open(RECORD)
    cells = page.locator("#examples tbody").first.locator("td:last-child").all_inner_texts()
    assert HOSTILE in cells[0]
    assert HOSTILE_END in cells[1]


def test_citation_is_copied(visits):
    visit = visits(permissions=["clipboard-read", "clipboard-write"])
    page = visit.open(PAGES["method"])
    page.click("button.copy")
    page.wait_for_function("document.querySelector('button.copy').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("Palimpsest")


def test_dark_where_the_system_is_dark(visits):
    page = visits(color_scheme="dark").open("index.html")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
    page.wait_for_selector(".canvas:visible .xtitle")
    light = visits().open("index.html")
    light.wait_for_selector(".canvas:visible .xtitle")
    fill = "getComputedStyle(document.querySelector('.canvas .xtitle')).fill"
    assert page.evaluate(fill) != light.evaluate(fill)
