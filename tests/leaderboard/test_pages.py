"""Every page of the built site in a browser, from files and from a web server: it fits the screen,
is small and draws its plots.
"""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browsing import DESKTOP, IN_BROWSER, INSIDE, PAGES, PHONE, Visit

READY, LARGEST = 2, 2e6  # seconds; bytes
VISITS = 5
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
SLOWER = 4  # assumed ratio of a phone's compute time to this machine's

pytestmark = IN_BROWSER


@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_pages_open_without_trouble_and_fit_the_screen(visits, path, width):
    visit = visits(viewport=width)
    page = visit.open(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(FITS)
    for panel in page.locator("details.panel").all():
        panel.locator("summary").click()
        assert page.evaluate(FITS)
        assert panel.locator("> div").evaluate(INSIDE)
    assert visit.trouble == []


class Quiet(SimpleHTTPRequestHandler):
    """A request handler that logs nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served(site):
    """Address of the site in a subfolder of a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{site.name}"
        server.shutdown()


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_from_a_web_server(browser, served, name):
    visit = Visit(browser, served, viewport=DESKTOP)
    visit.open(PAGES[name])
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.locator("h1").is_visible()
    assert visit.trouble == []
    visit.close()


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


def test_the_first_page_is_small_and_ready_on_a_phone(browser, site):
    """The plotting library is not counted: it loads only when a plot comes near the screen."""
    visits = [first_visit(browser, site) for _ in range(VISITS)]
    # Other load on this machine can only add time, so the fastest visit is the best estimate.
    assert 0 < SLOWER * min(seconds for seconds, _ in visits) < READY
    files = [url.removeprefix(site.as_uri()).partition("#")[0] for url in visits[0][1]]
    size = sum((site / name.lstrip("/")).stat().st_size for name in files if "plotly" not in name)
    assert size < LARGEST


def first_visit(browser, site):
    """Compute time in seconds of the page's main thread until its table is there, and the loaded
    URLs.
    """
    context = browser.new_context(viewport=PHONE)
    page, loaded = context.new_page(), []
    counters = context.new_cdp_session(page)
    counters.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(f"{site.as_uri()}/index.html")
    page.wait_for_selector("#view .dt-container")
    found = {m["name"]: m["value"] for m in counters.send("Performance.getMetrics")["metrics"]}
    context.close()
    return found["TaskDuration"], loaded
