"""Cached results stay valid until the code that computes them changes."""

import pytest

from benchmark.records import code_digest
from benchmark.records.code_digest import behind, of_rooms

FILES = {
    "core/words.py": "def count(text):\n    return len(text.split())\n",
    "records/__init__.py": "",
    "records/read.py": "from benchmark.core import words\n",
    "records/parts.py": "def part():\n    from benchmark.records.read import words\n",
    "records/claims.py": "from benchmark.records.parts import part\n",
}
PARTS = "benchmark.records.parts"


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(code_digest, "ROOT", tmp_path)
    for name, text in FILES.items():
        path = tmp_path / "benchmark" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path / "benchmark"
    forget()


def forget():
    for cached in (of_rooms, behind, code_digest._essence):
        cached.cache_clear()


def digests():
    forget()
    return behind(PARTS), of_rooms("records"), of_rooms("core", "records")


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("core/words.py", FILES["core/words.py"].replace("(text):", "(text):  # words"), ""),
        (
            "core/words.py",
            FILES["core/words.py"].replace("    return", '    """How many."""\n\n    return'),
            "",
        ),
        ("core/words.py", FILES["core/words.py"].replace("len(", "len(2 * "), "parts both"),
        ("records/parts.py", FILES["records/parts.py"] + "x = 1\n", "parts records both"),
        ("records/claims.py", "x = 1\n", "records both"),  # not used for making parts
        ("core/new.py", "x = 1\n", "both"),
    ],
)
def test_a_digest_changes_with_code_that_is_used(package, name, text, changed):
    before = digests()
    (package / name).write_text(text)
    differs = [a != b for a, b in zip(before, digests(), strict=True)]
    assert differs == [word in changed.split() for word in ("parts", "records", "both")]
