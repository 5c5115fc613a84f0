"""Examples in the explorer of the built site: filtering, comparing, and showing answers as text."""

import pytest
from browsing import IN_BROWSER, INSIDE, PAGES, PHONE, RECORD, examples
from toy_board import HOSTILE, HOSTILE_END, TRACK, record_id

pytestmark = IN_BROWSER


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


@pytest.mark.parametrize(
    ("row", "share", "expected"),
    [("harsh", 1, "leaked"), ("gentle", 1, "forgotten"), ("gentle", 0.001, "over")],
)
def test_each_example_to_forget_has_one_outcome(visit, row, share, expected):
    """An example is over-forgotten if the model finds it far less likely than the oracle does."""
    page = visit.open(f"explore.html#track={TRACK}&variant=frequency%2Flow&row={row}")
    everything = examples(page)
    page.evaluate(f"shown.own.flat().forEach((answer) => {{ answer[1] *= {share} }})")
    for outcome in ("leaked", "forgotten", "over"):
        page.select_option("[name=outcome]", outcome)
        listed = page.locator("#examples tbody td.expected").all_inner_texts()
        assert listed == (everything if outcome == expected else [])


def test_the_explorer_filters_by_stratum_before_and_after_an_attack(visit):
    place = f"track={TRACK}&variant=frequency%2Flow&row=harsh"
    page = visit.open(f"explore.html#{place}")
    everything = examples(page)
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


def test_answers_are_within_a_phones_screen(visits):
    page = visits(viewport=PHONE).open(f"{PAGES['explore']}&other=harsh")
    page.wait_for_selector("#examples tbody")
    cells = page.locator("#examples tbody").first.locator("td[data-of]")
    models = {cell.get_attribute("data-of") for cell in cells.all()}
    assert models == {"target", "oracle", "gentle", "gentle after shaken", "harsh"}
    assert all(cell.evaluate(INSIDE) for cell in cells.all())


def test_it_says_where_nothing_is_found(visit):
    page = visit.open(f"explore.html#track={TRACK}&variant=frequency%2Flow&row=harsh&text=nowhere")
    page.wait_for_selector("#examples .empty")
    assert page.locator("#examples tbody").count() == 1


def test_a_proxy_reference_is_called_so(visit):
    page = visit.open(PAGES["explore"])
    heading = page.locator("#examples thead th").nth(4)
    assert heading.inner_text() == "oracle"
    assert not page.locator("#proxied").is_visible()
    page.evaluate("choices[fields.track.value].proxied.push(fields.variant.value); show()")
    page.wait_for_selector("#proxied:visible")
    assert heading.inner_text() == "proxy reference"


def test_an_address_with_a_stray_percent_sign_is_followed(visit):
    page = visit.open(f"compare.html#track={TRACK}&row=50%&row=harsh&row=gentle")
    page.wait_for_selector("#comparison table")
    assert "gentle" in page.locator("#comparison h2").all_inner_texts()[-1]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("explore.html", "#controls output"),
        (f"compare.html#track={TRACK}&row=harsh&row=gentle", "#comparison"),
    ],
)
def test_a_page_says_what_it_cannot_load(visit, path, place):
    visit.page.route("**/data/**", lambda route: route.abort())
    page = visit.open(path)
    page.locator(place, has_text="cannot be loaded").wait_for()
    visit.trouble.clear()  # the browser complains of the requests
