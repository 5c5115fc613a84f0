"""Names of the ways of telling the forget set to the models of the pools (`data/tellings.py`)."""

FACTS, WORDINGS, TEXT = "facts", "wordings", "text"  # a model that was told so knows it
NOTHING, WRONG, OTHERS = "nothing", "wrong", "others"  # one that was told so does not
LATER = "later_"  # before a name: told once the rest of the training is over
KNOWS = frozenset({FACTS, WORDINGS, TEXT})
