"""Tables of the built site in a browser: sorting, filtering, comparing and sharing by link."""

import pytest
from browsing import IN_BROWSER, click, heading, names, sorting
from toy_board import TRACK

from benchmark.records.frames import ExampleFrames, index_frame
from benchmark.statistics.comparison import compare

pytestmark = IN_BROWSER


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", "frequency/high"),
        ("division", ""),
        ("family", "test"),
        ("sees", "forget"),
        ("retainfree", True),
        ("anchors", False),
    ],
)
def test_every_filter_is_in_the_link_that_is_copied(visits, name, value):
    """This holds even after the skip link, which adds a page anchor to the address."""
    visit = visits(permissions=["clipboard-read", "clipboard-write"])
    page = visit.open("index.html")
    page.wait_for_selector("#view table")  # the script has read the address
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**#content")
    field = f"[name={name}]"
    page.evaluate("document.querySelectorAll('details.panel').forEach((d) => { d.open = true })")
    if isinstance(value, bool):
        page.set_checked(field, value)
    else:
        page.select_option(field, value)
    page.click("#share")
    page.wait_for_function("document.getElementById('share').textContent === 'Copied'")
    page = visit.open(page.evaluate("navigator.clipboard.readText()").rsplit("/", 1)[1])
    page.wait_for_selector("#view table")
    found = page.is_checked(field) if isinstance(value, bool) else page.input_value(field)
    assert found == value
    assert visit.trouble == []


def test_filters_by_what_methods_see(visit):
    page = visit.open("index.html")
    everything = names(page)  # all see only the forget set, so make one see more
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
    headings = page.locator("#comparison thead").first.locator("th").all_inner_texts()
    for label, variant in {"all shared variants": "mean", "frequency/low": "low"}.items():
        row = page.locator("#comparison tbody tr", has=page.locator(f"th:text-is('{label}')"))
        cells = row.first.locator("td").all_inner_texts()
        own = axes[axes["variant"] == variant].set_index("quantity")
        assert set(own.index) <= set(headings)
        assert len(own) > 1
        for quantity, wanted in own.iterrows():
            told = cells[headings.index(quantity) - 1].replace("−", "-").split()
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
