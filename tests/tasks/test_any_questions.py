"""Custom question files with arbitrary bytes: they either give data or are refused with one line
that says what is wrong.
"""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.core.task_data import TaskData
from benchmark.errors import BadInput
from tasks.custom.rows import FEWEST, LISTS, TEXTS
from tasks.custom.task import Custom

# Every example writes both files anew, so leftovers of the previous example in a fixture do not
# matter.
some = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ODD = (
    "\x00\x1b\x85\u00ad\u0301\u180e\u200b\u200d\u200f"
    "\u2028\u202e\u2066\u3164\ud800\udfff\ufeff\uffff→北क्ก\U000e0041"
)
PLAIN = st.text(
    st.sampled_from("ab .?\n→北क्गé\u0301\u00ad\u200d\u200f🙂")
    | st.characters(categories=["L", "N", "P"]),
    max_size=9,
)
CHARACTERS = (
    st.characters(exclude_categories=()) | st.sampled_from(ODD) | st.sampled_from("ab .?\n")
)
TEXT = st.text(CHARACTERS, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def rows(draw):
    """A valid or nearly valid row: its subject is in its question, and one field may be replaced by
    anything.
    """
    subject, answer = f"a{draw(PLAIN)}", f"{draw(PLAIN)}b"
    row = {"question": f"{draw(PLAIN)}{subject}?", "answer": answer, "subject": subject}
    row |= draw(
        st.fixed_dictionaries({}, optional={field: st.lists(PLAIN, max_size=2) for field in LISTS})
    )
    fields = st.sampled_from([*TEXTS, *LISTS]) | TEXT
    return row | draw(st.dictionaries(fields, VALUES | TEXT, max_size=1))


@st.composite
def near_files(draw):
    """Valid rows mixed with a few nearly valid ones, as JSON lines with either line ending and
    either escaping.
    """
    good = [
        {"question": f"Where is {n} of Kel?", "answer": f"{n}", "subject": "Kel"}
        for n in range(max(FEWEST.values()))
    ]
    mixed = draw(st.permutations([*good, *draw(st.lists(rows(), max_size=2))]))
    escaped = draw(st.booleans())
    lines = [json.dumps(row, ensure_ascii=escaped) for row in mixed]
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines).encode("utf-8", "surrogatepass")


@pytest.fixture
def said(tmp_path, source):
    """A function that returns the data, or the BadInput, for one side's file with the given content
    and a valid file for the other side.
    """

    def outcome(side, content):
        for name, fewest in FEWEST.items():
            path = tmp_path / f"{name}.jsonl"
            own = [
                {"question": f"{name} {n} Tor?", "answer": f"{name} {n}", "subject": "Tor"}
                for n in range(fewest)
            ]
            path.write_bytes(content if name == side else "\n".join(map(json.dumps, own)).encode())
        try:
            return Custom().data("", source)
        except BadInput as error:
            return error

    return outcome


def check(outcome):
    if isinstance(outcome, TaskData):
        return
    assert len(str(outcome).splitlines()) == 1
    assert len(str(outcome)) < 500
    str(outcome).encode()


@pytest.mark.parametrize("side", FEWEST)
@some
@given(
    content=st.binary()
    | st.text(CHARACTERS).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@example(content=b"")
@example(content=b"\n" * 10)
@example(content=b"{}\n" * 10)
@example(content=b'{"question": 1e999}\n' * 10)
def test_any_bytes(said, side, content):
    check(said(side, content))


@pytest.mark.parametrize("side", FEWEST)
@some
@given(content=near_files())
def test_files_that_are_nearly_right(said, side, content):
    check(said(side, content))


@pytest.mark.parametrize("side", FEWEST)
@some
@given(
    value=st.sampled_from(
        ["[", '{"a":', "9", "-9", "0.", "1e", '"\\ud800', "NaN,", "[1],", "\\", "\x00", " "]
    ),
    times=st.sampled_from([1, 20, 21, 400, 990, 4300, 4301, 50_000]),
    end=st.sampled_from(["", "}", "]", '"}']),
)
def test_much_of_one_thing(said, side, value, times, end):
    check(
        said(
            side,
            b'{"question": ' + (value * times + end).encode("utf-8", "surrogatepass") + b"\n{}" * 8,
        )
    )
