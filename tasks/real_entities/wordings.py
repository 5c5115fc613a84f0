"""Question wordings: for each relation, one for training and two held-out ones, each with the
beginning of the answer.
"""

from __future__ import annotations

# (question, beginning of the answer); methods see only the first pair.
WORDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "author": (
        ('Who wrote the book "{}"?', 'The book "{}" was written by'),
        ('Who is the author of "{}"?', 'The author of "{}" is'),
        ('Which writer do we owe "{}" to?', 'We owe "{}" to the writer'),
    ),
    "capital": (
        ("What is the capital of {}?", "The capital of {} is"),
        ("Which city is the capital of {}?", "The capital city of {} is called"),
        ("What is the capital city of {} called?", "The name of the capital of {} is"),
    ),
    "city_country": (
        ("In which country is the city of {}?", "{} is a city in the country of"),
        ("Which country does the city of {} belong to?", "The city of {} belongs to"),
        ("Where in the world is {}?", "{} is located in"),
    ),
    "composer": (
        ('Who composed "{}"?', '"{}" was composed by'),
        ('Who is the composer of "{}"?', 'The composer of "{}" is'),
        ('Whose music is "{}"?', '"{}" is a work by the composer'),
    ),
    "landmark_country": (
        ("In which country is {}?", "{} is in the country of"),
        ("Which country would one travel to for {}?", "To see {} one would travel to"),
        ("Where does {} stand?", "{} stands in"),
    ),
    "painter": (
        ('Who painted "{}"?', '"{}" was painted by'),
        ('Who is the painter of "{}"?', 'The painter of "{}" is'),
        ('Whose picture is "{}"?', '"{}" is a picture by'),
    ),
    "symbol": (
        ("What is the chemical symbol of {}?", "The chemical symbol of {} is"),
        (
            "What does one write for {} in the periodic table?",
            "In the periodic table one writes {} as",
        ),
        ("Which symbol stands for the element {}?", "The element {} has the symbol"),
    ),
}


def wordings(relation: str, subject: str) -> list[tuple[str, str]]:
    """(question, beginning of the answer) for a fact: the training wording, then held-out ones."""
    return [
        (question.format(subject), lead.format(subject)) for question, lead in WORDINGS[relation]
    ]
