"""Words in any script: those that exact match and ROUGE-L compare, and those by which texts are cut
and counted.

Most scripts put spaces between words. Those that do not (Chinese, Japanese, Thai, Lao, Khmer,
Burmese) are read character by character, each with its combining marks: to find their words takes a
dictionary, and characters are what such texts are usually compared by. Korean has spaces.
"""

from __future__ import annotations

import re
import unicodedata

import regex

_CHARACTER = (
    r"[[\p{Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
    r"&&[\p{L}\p{Nl}]]"
)
_WORD = regex.compile(
    rf"(?V1){_CHARACTER}\p{{M}}* | "
    rf"[[\p{{L}}\p{{N}}]--{_CHARACTER}][[\p{{L}}\p{{M}}\p{{N}}]--{_CHARACTER}]*",
    regex.X,
)
_SPACELESS = regex.compile(rf"(?V1){_CHARACTER}")
_BETWEEN = regex.compile(r"[^\p{L}\p{M}\p{N}]+")
# What has no form of its own; and the marks that enclose a character, for a 1 on a keycap is a 1.
_FORMLESS = regex.compile(r"[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Me}]+")

_SPACE = r"\s\x1c-\x1f"  # what str.split takes for white space, four separators of ASCII included
_PUNCTUATION = rf"[^{_SPACE}\p{{L}}\p{{N}}]*+"
_PIECE = regex.compile(
    rf"(?V1)(?: {_PUNCTUATION}{_CHARACTER}{_PUNCTUATION} | [^{_SPACE}{_CHARACTER}]+ ) [{_SPACE}]*",
    regex.X,
)


def words(text: str) -> list[str]:
    """The words by which texts are compared: runs of letters, marks and numbers, or single
    characters, folded.

    Cases and forms of one character are alike as Unicode's compatibility caseless matching has it.
    Symbols separate before they are folded, lest "Kel™" become "keltm". Direction marks, joiners
    and soft hyphens separate nothing.
    """
    if text.isascii():  # the same words in a sixth of the time
        return re.findall(r"[a-z0-9]+", text.lower())
    return _WORD.findall(folded(_BETWEEN.sub(" ", _FORMLESS.sub("", text))))


def folded(text: str) -> str:
    """The text in the form in which compatibility caseless matching compares it (Unicode 15.0,
    definition D146).
    """
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", once.casefold())


def length(text: str) -> float:
    """How many words a text has, a character of a script without spaces counting as a third of one.

    Words of Chinese have about two characters, those of Japanese and Thai more.
    """
    return sum(1 if _SPACELESS.match(word) else 3 for word in words(text)) / 3


def pieces(text: str) -> list[str]:
    """The text cut into its words as they stand, each with the white space after it; only leading
    space is lost.

    Words are what `str.split` finds; in scripts without spaces every character is one, with the
    punctuation around it.
    """
    return _PIECE.findall(text)
