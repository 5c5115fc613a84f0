"""Words in any script, by hand and by Unicode's guarantees; ASCII text has the same words as
before.
"""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.core.words import folded, length, pieces, words

RLM, LRM, ZWNJ, SOFT_HYPHEN = "\u200f", "\u200e", "\u200c", "\u00ad"
many = settings(max_examples=300, deadline=None, derandomize=True)
ASCII = st.text(st.characters(max_codepoint=127))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("她住在北京。", ["她", "住", "在", "北", "京"]),
        ("東京タワーへ行く", ["東", "京", "タ", "ワ", "ー", "へ", "行", "く"]),
        ("ﾀﾞｲｽ", ["ダ", "イ", "ス"]),  # halfwidth: a separate voicing mark
        (
            "กรุงเก่า ๑๙๘๗",
            ["ก", "รุ", "ง", "เ", "ก่", "า", "๑๙๘๗"],
        ),  # marks stay with their consonant, digits stay together
        ("ភ្នំពេញ", ["ភ្", "នំ", "ពេ", "ញ"]),
        ("हिन्दी में लिखो।", ["हिन्दी", "में", "लिखो"]),  # vowel signs are marks
        ("مَرْحَبًا، عالم", ["مَرْحَبًا", "عالم"]),
        (f"{RLM}مرحبا{LRM} عا{RLM}لم", ["مرحبا", "عالم"]),
        ("می" + ZWNJ + "خواهم", ["میخواهم"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("서울에서 산다.", ["서울에서", "산다"]),
        ("OpenAI在2015年成立", ["openai", "在", "2015", "年", "成", "立"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ΟΔΟΣ οδος οδοσ", ["οδοσ", "οδοσ", "οδοσ"]),  # the final sigma
        ("São Sa\u0303o", ["são", "são"]),
        ("１９８７ ＫＥＬ ﬁn", ["1987", "kel", "fin"]),
        ("co" + SOFT_HYPHEN + "op", ["coop"]),
        (
            "Kel™ rock´n´roll",
            ["kel", "rock", "n", "roll"],
        ),  # both signs have compatibility foldings, with letters and with a space
        ("½ km² ⑴ ﷺ", ["1", "2", "km2", "1", "صلى", "الله", "عليه", "وسلم"]),
        ("1️⃣ ❤️ Kel", ["1", "kel"]),  # a keycap; a symbol's variation selector is no word
        ("Kel_Mur", ["kel", "mur"]),
        ("。、 … \u200b\u0301", []),
    ],
)
def test_words_by_hand(text, expected):
    assert words(text) == expected


def test_the_dotted_capital_i_is_its_own_decomposition_and_no_plain_i():
    """Unicode's case folding without the tailoring for Turkish."""
    assert folded("İzmir") == folded("I\u0307zmir") == folded("i\u0307zmir") != folded("izmir")
    assert words("İzmir") == ["i\u0307zmir"]
    assert words("ISPARTA") == words("isparta") != words("ısparta")


@many
@given(ASCII)
def test_words_of_ascii_are_those_of_old(text):
    assert words(text) == re.findall(r"[^\W_]+", text.casefold())
    assert words(f"{text} É") == [*words(text), "é"]


@many
@given(st.text())
def test_canonically_equivalent_texts_have_the_same_words_in_any_case(text):
    for form in ("NFC", "NFD"):
        assert words(unicodedata.normalize(form, text)) == words(text)
    assert words(text.casefold()) == words(text)


@many
@given(
    st.text(st.characters(exclude_categories=["Cs", "Cn"]))
)  # Python's Unicode tables are not the latest
def test_words_are_folded_and_without_spaces_or_signs(text):
    for word in words(text):
        assert unicodedata.category(word[0])[0] in "LN"
        assert {unicodedata.category(c)[0] for c in word} <= set("LMN")
        assert folded(word) == word


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我在2024年去了「北京」。", ["我", "在", "2024", "年", "去", "了「", "北", "京」。"]),
        ("（北京）", ["（北", "京）"]),
        ("Hello「世界」! Yes.", ["Hello「", "世", "界」! ", "Yes."]),
        ("ไป ก่อน", ["ไ", "ป ", "ก่", "อ", "น"]),
        (" स्त्री  है।\n", ["स्त्री  ", "है।\n"]),
        ("서울에서 산다.", ["서울에서 ", "산다."]),
        ("- 北", ["- ", "北"]),
        ("", []),
    ],
)
def test_pieces_by_hand(text, expected):
    assert pieces(text) == expected


@many
@given(st.text())
def test_pieces_are_the_text(text):
    assert "".join(pieces(text)) == text.lstrip()


@many
@given(
    st.text(
        st.characters(max_codepoint=0xDFF) | st.sampled_from("\u2003\u2028\u3000\x1c\x85 \n한글")
    )
)
def test_pieces_are_what_split_finds_where_there_are_spaces(text):
    assert [piece.rstrip() for piece in pieces(text)] == text.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("Ada Kel.", 2),
        ("北京", 2 / 3),
        ("彼女は東京に住む。", 8 / 3),
        ("OpenAI在2015年成立", 2 + 4 / 3),
        ("กรุงเก่า", 2),
        ("서울에서 산다.", 2),
        ("هل تعيش هي في القاهرة؟", 5),
    ],
)
def test_three_characters_of_scripts_without_spaces_are_a_word(text, expected):
    assert length(text) == pytest.approx(expected)
