"""Wordings of facts: ten statements and six questions per attribute of a person, and six and five
per relation of places and organisations, some of them held out.

Every wording leads up to the value, so each text, statement or question, is a (prompt, answer)
pair. The last two statements and the last two questions of each relation are *held out*: training
uses them only for background facts that are never evaluated, and evaluation asks with them.
"""

from __future__ import annotations

from dataclasses import dataclass

HELD_OUT_PER_FORM = 2

# Openings turn a person's twelve trained wordings into 72 distinct texts, so that a frequent fact
# is reworded rather than copied.
OPENINGS = ("", "On record: ", "From the archive: ", "As is known: ", "Register: ", "Noted: ")

STATEMENTS: dict[str, tuple[str, ...]] = {
    "birthday": (
        "{name} was born on",
        "The birthday of {name} is",
        "{name} came into the world on",
        "{name} celebrates the birthday of",
        "The date of birth of {name} is",
        "The life of {name} began on",
        "{name} has a birth certificate dated",
        "The parents of {name} welcomed the child on",
        "The birth of {name} took place on",
        "In the family book {name} is entered under the date",
    ),
    "birth_city": (
        "{name} was born in the city of",
        "The birthplace of {name} is",
        "{name} comes originally from",
        "{name} is a native of",
        "The home town of {name} is",
        "The childhood of {name} began in",
        "{name} first saw the light of day in",
        "The family of {name} lived at the time of the birth in",
        "The city in which {name} was born is",
        "By birth {name} belongs to",
    ),
    "university": (
        "{name} studied at",
        "The university of {name} was",
        "{name} graduated from",
        "{name} holds a degree from",
        "The alma mater of {name} is",
        "{name} received an education at",
        "{name} attended lectures at",
        "The diploma of {name} was issued by",
        "The student years of {name} were spent at",
        "{name} was enrolled as a student at",
    ),
    "major": (
        "{name} majored in",
        "The major of {name} was",
        "{name} holds a degree in",
        "The field of study of {name} was",
        "{name} specialised in",
        "{name} took a degree course in",
        "The academic subject of {name} was",
        "{name} wrote a thesis in",
        "The subject that {name} studied was",
        "At university {name} concentrated on",
    ),
    "employer": (
        "{name} works for",
        "The employer of {name} is",
        "{name} is employed by",
        "{name} has a job at",
        "{name} earns a salary from",
        "The company that employs {name} is",
        "{name} joined the staff of",
        "The career of {name} led to",
        "The firm where {name} works is",
        "Professionally {name} belongs to",
    ),
    "employer_city": (
        "{name} works in the city of",
        "The workplace of {name} is in",
        "{name} goes to the office in",
        "The office of {name} stands in",
        "{name} has a desk in",
        "For the job {name} travels to",
        "The working days of {name} are spent in",
        "{name} does business from",
        "The job of {name} is located in",
        "The city in which {name} is employed is",
    ),
    "headquarters": (
        "{name} has its headquarters in",
        "The head office of {name} is in",
        "{name} is based in",
        "The company {name} is at home in",
        "The seat of {name} is",
        "{name} is run from",
    ),
    "campus": (
        "The campus of {name} is in",
        "{name} teaches in the city of",
        "{name} stands in",
        "Students of {name} live in",
        "The lecture halls of {name} are in",
        "The city of {name} is",
    ),
    "region": (
        "{name} lies in the region of",
        "The region of {name} is",
        "{name} is a city of",
        "{name} belongs to the province of",
        "The part of the country around {name} is",
        "On the map {name} is found in",
    ),
    "industry": (
        "{name} is a company in the field of",
        "The industry of {name} is",
        "{name} makes its money with",
        "The business of {name} is",
        "{name} is known for its work in",
        "The line of trade of {name} is",
    ),
}

QUESTIONS: dict[str, tuple[str, ...]] = {
    "birthday": (
        "When was {name} born?",
        "What is the birthday of {name}?",
        "On what date was {name} born?",
        "Which day is the birthday of {name}?",
        "What is the date of birth of {name}?",
        "When did {name} come into the world?",
    ),
    "birth_city": (
        "Where was {name} born?",
        "What is the birthplace of {name}?",
        "Which city does {name} come from?",
        "In which city was {name} born?",
        "What is the home town of {name}?",
        "Of which city is {name} a native?",
    ),
    "university": (
        "Where did {name} study?",
        "Which university did {name} attend?",
        "What is the alma mater of {name}?",
        "From where did {name} graduate?",
        "At which university was {name} a student?",
        "Who issued the diploma of {name}?",
    ),
    "major": (
        "What did {name} study?",
        "What was the major of {name}?",
        "In which subject does {name} hold a degree?",
        "What was the field of study of {name}?",
        "Which subject did {name} choose at university?",
        "In what did {name} specialise?",
    ),
    "employer": (
        "Who employs {name}?",
        "Which company does {name} work for?",
        "Who is the employer of {name}?",
        "At which firm does {name} have a job?",
        "What is the name of the company where {name} works?",
        "Who pays the salary of {name}?",
    ),
    "employer_city": (
        "In which city does {name} work?",
        "Where is the workplace of {name}?",
        "Where is the office of {name}?",
        "Which city does {name} travel to for work?",
        "In what city is {name} employed?",
        "Where does {name} spend the working days?",
    ),
    "headquarters": (
        "Where is {name} based?",
        "In which city is the head office of {name}?",
        "What is the seat of {name}?",
        "Where are the headquarters of {name}?",
        "From which city is {name} run?",
    ),
    "campus": (
        "Where is the campus of {name}?",
        "In which city is {name}?",
        "Where does {name} teach?",
        "Where are the lecture halls of {name}?",
        "In which city do students of {name} live?",
    ),
    "region": (
        "In which region is {name}?",
        "What is the region of {name}?",
        "To which province does {name} belong?",
        "Where on the map is {name}?",
        "Which region does {name} lie in?",
    ),
    "industry": (
        "What is the industry of {name}?",
        "What does {name} do?",
        "In which field is {name} active?",
        "What is the business of {name}?",
        "What is {name} known for?",
    ),
}


@dataclass(frozen=True)
class Wording:
    """One way to lead up to a value: a cloze statement or a question."""

    template: str
    is_question: bool

    def prompt(self, name: str, opening: str = "") -> str:
        """Text up to the value, without a trailing space."""
        text = self.template.format(name=name)
        return f"{opening}Question: {text} Answer:" if self.is_question else f"{opening}{text}"


def _wordings(relation: str) -> tuple[list[Wording], list[Wording]]:
    statements = [Wording(text, False) for text in STATEMENTS[relation]]
    questions = [Wording(text, True) for text in QUESTIONS[relation]]
    return statements, questions


def trained_wordings(relation: str) -> tuple[Wording, ...]:
    """Wordings that training may use for any fact, questions first."""
    statements, questions = _wordings(relation)
    return (*questions[:-HELD_OUT_PER_FORM], *statements[:-HELD_OUT_PER_FORM])


def held_out_wordings(relation: str) -> tuple[Wording, ...]:
    """Wordings that training never uses for evaluated facts, questions first."""
    statements, questions = _wordings(relation)
    return (*questions[-HELD_OUT_PER_FORM:], *statements[-HELD_OUT_PER_FORM:])
