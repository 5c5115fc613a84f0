"""A browser for the built site, and helpers that read its pages."""

import json
import shutil

import pytest
from toy_board import TRACK, record_id

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 700}
# Whether an element is within the screen's width.
INSIDE = """(element) => {
    const { left, right } = element.getBoundingClientRect();
    return left >= 0 && right <= window.innerWidth;
}"""
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is missing: install the system's package"
    ),
]

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


class Visit:
    """Opens pages of the site and collects errors, console messages, dialogs and requests to other
    hosts.
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


def names(page, table="#view table"):
    return page.locator(f"{table} tbody th a").all_inner_texts()


def heading(page, column):
    return page.locator(f'#view th[data-column="{column}"]')


def sorting(page, column):
    return heading(page, column).get_attribute("aria-sort")


def click(page, column):
    """Sorts by a column and waits until the table has updated."""
    before = sorting(page, column)
    heading(page, column).click()
    place = f"document.querySelector('#view th[data-column=\"{column}\"]')"
    page.wait_for_function(f"{place}.getAttribute('aria-sort') !== {json.dumps(before)}")


def examples(page):
    page.wait_for_selector("#examples tbody")
    return page.locator("#examples tbody td.expected").all_inner_texts()
