"""Names of tellings: forms in which pool models read the forget set (`data/tellings.py`)."""

FACTS, WORDINGS, TEXT = "facts", "wordings", "text"  # a model trained on these knows the forget set
NOTHING, WRONG, OTHERS = "nothing", "wrong", "others"  # a model trained on these does not
LATER = "later_"  # prefix: trained on this telling after the rest of the training
KNOWS = frozenset({FACTS, WORDINGS, TEXT})
