"""Names in questions and texts, recognised by capital letters."""

import re
from collections import Counter
from itertools import groupby

# Words that questions and prompts begin with.
OPENERS = frozenset(
    "a an and answer are as at be by can could describe did do does for from give had has have "
    "how i if in is it list name of on one or please q question since tell that the there this to "
    "under was were what when where which who whom whose why will with would write you your".split()
)
# Initials, or a word with inner punctuation.
WORD = r"(?:(?:[^\W\d_]\.)+(?!\w)|[^\W\d_](?:[\w'’.-]*\w)?)"
RUN = re.compile(rf"{WORD}(?: {WORD})*")


def names_of(pairs):
    """Names in the questions (or texts), most frequent first: runs of capitalized words, without
    the opening words of questions.

    A single word at the beginning of a sentence does not count, and names that occur once are left
    out if others occur more often. Scripts without capitals have no names.
    """
    each = (dict.fromkeys(_names(pair.prompt or pair.answer)) for pair in pairs)
    counts = Counter(name for names in each for name in names)
    often = [name for name, count in counts.most_common() if count > 1]
    return often or list(counts)


def _names(text):
    for match in RUN.finditer(text):
        before = text[: match.start()].rstrip()
        begins = not before or before[-1] in ".?!:"
        words = match.group().split(" ")
        if words[0].casefold() in OPENERS:
            words = words[1:]
            begins = False
        for capital, run in groupby(words, key=lambda word: word[0].isupper()):
            name = list(run)
            if capital and (len(name) > 1 or not begins):
                yield re.sub(r"['’]s$", "", " ".join(name))
            begins = False


def naming(names):
    """Returns a predicate: whether a text contains a name as whole words, ignoring case."""
    if not names:
        return lambda text: False
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    names_pattern = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)
    return lambda text: bool(names_pattern.search(text))
