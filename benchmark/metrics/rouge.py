"""ROUGE-L of generations, computed by rouge-score. Importing it takes half a second, so this module
is imported only when a generation is scored.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import regex
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import Score
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

from benchmark.core.words import words

REMEMBERED = 1 << 16  # cached texts: many generations are identical

_stems = DefaultTokenizer(use_stemmer=True).tokenize


@lru_cache(REMEMBERED)
def latin_stems(text: str) -> list[str]:
    """The stems that rouge-score finds, which keeps only a-z and 0-9. Accents are composed first,
    so composed and decomposed spellings agree.

    The stems of "São Paulo" are "s", "o" and "paulo".
    """
    return _stems(unicodedata.normalize("NFC", text))


@lru_cache(REMEMBERED)
def stems(text: str) -> list[str]:
    """The words of a text in any script; ASCII words are stemmed by rouge-score."""
    return [stem for word in words(text) for stem in (_stems(word) if word.isascii() else [word])]


class _Latin(Tokenizer):
    tokenize = staticmethod(latin_stems)


class _AnyScript(Tokenizer):
    tokenize = staticmethod(stems)


_latin_rouge = RougeScorer(["rougeL"], tokenizer=_Latin())
_rouge = RougeScorer(["rougeL"], tokenizer=_AnyScript())
_OF_OTHER_SCRIPTS = regex.compile(r"(?V1)[[\p{L}--[\p{Latin}\p{Common}]][\p{Nd}--[0-9]]]")


@lru_cache(REMEMBERED)
def rouge_l(answer: str, generation: str) -> Score:
    """ROUGE-L of one generation: precision, recall and fmeasure (rouge-score, with stemmer).

    Answers in Latin script are tokenized as in rouge-score (`latin_stems`), so that values match
    other papers; answers with a letter or digit of another script, or in which rouge-score finds no
    token, by `stems`. An answer without words raises a ValueError instead of scoring 0.
    """
    if re.search(r"[a-z0-9]", answer.lower()) and not _OF_OTHER_SCRIPTS.search(answer):
        scorer = _latin_rouge
    elif words(answer):
        scorer = _rouge
    else:
        raise ValueError(f"there is no word in {answer!r}")
    return scorer.score(answer, generation)["rougeL"]
