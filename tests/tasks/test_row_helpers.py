"""Helpers for rows written by others: checks, pieces of texts, wrong answers, and names that belong
to nothing.
"""

import pytest

from benchmark.api import (
    checked,
    chunks,
    coined_names,
    json_rows,
    other_answers,
    spread,
    text_examples,
)
from benchmark.errors import BadInput

GOOD = {"question": "Q?", "answer": 0, "choices": ["a", "b"]}


def test_rows_with_all_fields_are_returned():
    rows = [GOOD, GOOD | {"more": None}]
    assert checked(rows, "f.json", question=str, answer=int, choices=list) is rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"answer": 0, "choices": ["a"]},
            r"f\.json: line 2: question: found nothing, a text is needed",
        ),
        (GOOD | {"question": "  "}, "line 2: question: found '  ', a text is needed"),
        (GOOD | {"answer": True}, "line 2: answer: found True, a whole number is needed"),
        (GOOD | {"choices": []}, r"line 2: choices: found \[\], a list of texts is needed"),
        (
            GOOD | {"choices": ["a", None]},
            r"line 2: choices: found \['a', None\], a list of texts is needed",
        ),
    ],
)
def test_the_first_wrong_row_is_named(row, message):
    with pytest.raises(BadInput, match=message):
        checked([GOOD, row, {}], "f.json", question=str, answer=int, choices=list)


@pytest.mark.parametrize(
    ("words", "lengths"), [(7, [7]), (14, [14]), (16, [10, 6]), (24, [10, 14]), (26, [10, 10, 6])]
)
def test_pieces_hold_the_text_and_a_short_rest_is_joined(words, lengths):
    text = " \n".join(f"w{n}" for n in range(words))
    found = chunks(text, 10)
    assert " \n".join(found) == text
    assert [len(piece.split()) for piece in found] == lengths


def test_pieces_of_chinese_are_of_so_many_characters():
    assert chunks("天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。", 5) == [
        "天地玄黄，宇",
        "宙洪荒。日月",
        "盈昃，辰宿列张。",
    ]


def test_no_text_has_no_pieces():
    assert chunks(" \n", 10) == []


def test_spread_takes_rows_evenly_in_order():
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread(range(3), 5) == [0, 1, 2]
    assert spread([], 5) == []


def test_wrong_answers_are_others():
    answers = ["a", "b", "c", "b"]
    assert sorted(other_answers(answers, "b", 5, "x")) == ["a", "c"]
    assert other_answers(answers, "a", 1, "x") == other_answers(reversed(answers), "a", 1, "x")


def test_coined_names_are_many_and_differ():
    names = coined_names(5000, "x")
    assert len(set(names)) == 5000
    assert all(len(name.split()) == 2 and not name.endswith("s") for name in names)
    assert coined_names(5, "x") == names[:5] != coined_names(5, "y")


def test_texts_are_numbered_and_stand_for_themselves():
    first, second = text_examples("piece", ["One.", "Two."])
    assert (first.id, first.entity, first.prompt, second.answer) == (
        "piece.00000",
        "piece.00000",
        "",
        "Two.",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            b'{"a": %s}' % (b"9" * 5000),
            "line 2: found a number of 5000 digits, at most 4300 can be read",
        ),
        (b'{"a": -%s}' % (b"9" * 5000), "line 2: found a number of 5000 digits"),
        (
            b'{"a": ' + b"[" * 100_000,
            "line 2: found lists or objects nested more than 20 deep; texts and lists",
        ),
        (
            b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}",
            "line 2: found lists or objects nested more than 20 deep",
        ),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "line 2: found the field 'c' twice, once is needed"),
        (
            rb'{"a": ["\ud83d"]}',
            r"line 2: found U\+D83D in the field 'a', half of a surrogate pair; whole characters",
        ),
        (
            rb'{"\udc00": 1}',
            r"line 2: found U\+DC00 in the field '.udc00', half of a surrogate pair",
        ),
        (b'{"a": "\x00"}', "line 2: not valid JSON at character 8: Invalid control character$"),
        (b'{"a"; 1}', "line 2: not valid JSON at character 5: Expecting ':' delimiter"),
    ],
)
def test_what_cannot_be_used_as_it_stands_is_one_short_line(tmp_path, line, message):
    (tmp_path / "rows.jsonl").write_bytes(b"{}\n" + line)
    with pytest.raises(BadInput, match=message) as caught:
        json_rows(tmp_path / "rows.jsonl")
    assert len(str(caught.value).removeprefix(str(tmp_path))) < 150
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_within_the_limits_is_read(tmp_path):
    """Fields other than texts are not checked; a surrogate pair is one character."""
    line = b'{"a": %s, "b": %s, "c": NaN, "d": "\\ud83d\\ude00"}' % (
        b"9" * 4300,
        b"[" * 20 + b"]" * 20,
    )
    (tmp_path / "rows.jsonl").write_bytes(line)
    (row,) = json_rows(tmp_path / "rows.jsonl")
    assert (row["a"] + 1, row["d"]) == (10**4300, "😀")


@pytest.mark.parametrize(
    "content", [b'{"a": 1}\n\n', b'{"a": 1}\r\n\r\n', b'{"a": "1\xe2\x80\xa82"}']
)
def test_lines_end_at_line_feeds_whatever_the_system_puts_before_them(tmp_path, content):
    (tmp_path / "rows.jsonl").write_bytes(content)
    assert len(json_rows(tmp_path / "rows.jsonl")) == 1
