"""Fixtures: a small results folder with every kind of row that the leaderboard shows, the site
built from it, and a browser to open it.
"""

import shutil
from dataclasses import replace

import pytest
from browsing import ARGUMENTS, CHROMIUM, DESKTOP, Visit
from toy_board import FREQUENCIES, HOSTILE, HOSTILE_END, Folder

from leaderboard.build import build_site


@pytest.fixture(scope="session")
def make_folder(make_record, model_samples):
    return lambda root: Folder(root, make_record, model_samples)


@pytest.fixture(scope="session")
def filled(tmp_path_factory, make_folder):
    """A results folder with one track and two variants; tests read it without changing it.

    gentle and twin tie above harsh, none is an anchor, hasty failed on one variant, broken on both.
    """
    folder = make_folder(tmp_path_factory.mktemp("leaderboard") / "results")
    for variant in FREQUENCIES:
        for name, seed in (
            ("target", 0),
            ("oracle", 1),
            ("oracle", 2),
            ("none", 0),
            ("twin", 0),
            ("harsh", 0),
        ):
            folder.add(variant, name, seed)
        samples = folder.samples(variant, "gentle", 0)
        samples[0] = replace(samples[0], generation=HOSTILE, paraphrase_generations=(HOSTILE_END,))
        folder.add(variant, "gentle", 0, samples)
        folder.add_error(variant, "broken")
    folder.add("low", "hasty")
    folder.add_error("high", "hasty")
    folder.add_error("low", "broken", track="toy-dev")
    return folder


@pytest.fixture(scope="session")
def site(filled, tmp_path_factory):
    """Folder of the built site."""
    return build_site(filled.store.root, tmp_path_factory.mktemp("built") / "site").parent


@pytest.fixture
def folder(tmp_path, filled, make_folder):
    """A copy of the results folder that a test may change."""
    shutil.copytree(filled.store.root, tmp_path / "results")
    return make_folder(tmp_path / "results")


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: pip install playwright"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


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
    """A visit with a desktop screen; asserts afterwards that nothing went wrong in the browser."""
    own = visits()
    yield own
    assert own.trouble == []
