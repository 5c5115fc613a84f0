"""Questions about real facts from another side: each has one right answer, which nobody can know
for facts that never existed.
"""

from collections import Counter

from tasks.real_entities.probes import REVERSED, probes_of
from tasks.real_entities.rows import rows

FACTS = {row.id: row for row in rows()}
NEVER = "Bralan Dorarlund"


def asked(probe, never=""):
    found = {row.id: probes_of(row, never).get(probe) for row in rows()}
    return {name: question for name, question in found.items() if question}


def of(relation, subject):
    return next(r for r in rows() if (r.relation, r.subject) == (relation, subject))


def test_only_relations_of_one_to_one_are_asked_back():
    told = [(r.relation, a) for r in rows() for a in {r.answer, *r.aliases}]
    shared = [key for key, times in Counter(told).items() if times > 1 and key[0] in REVERSED]
    assert shared == []
    assert {FACTS[name].relation for name in asked("reverse")} == REVERSED.keys()


def test_the_subject_answers_in_each_of_its_names():
    question = probes_of(of("capital", "the Bahamas"))["reverse"]
    assert question.prompt == "Of which country is Nassau the capital?"
    assert (question.answer, question.answer_prefix) == (
        "the Bahamas",
        "Nassau is the capital of",
    )
    assert "Bahamas" in question.aliases
    assert "aluminum" in probes_of(of("symbol", "aluminium"))["reverse"].aliases
    assert all(q.answer not in q.perturbed for q in asked("reverse").values())


def test_a_country_whose_name_is_within_another_is_not_asked_for():
    assert "reverse" not in probes_of(of("capital", "Guinea"))
    assert "reverse" in probes_of(of("capital", "Papua New Guinea"))


def test_two_hops_go_over_the_country_to_its_capital():
    question = probes_of(of("city_country", "Alicante"))["indirect"]
    assert question.prompt == (
        "What is the capital of the country in which the city of Alicante is?"
    )
    assert question.answer == "Madrid"
    for name, other in asked("indirect").items():
        row = FACTS[name]
        assert row.relation == "city_country"
        assert not {row.answer, other.answer} & set(row.subject.split())


def test_proxies_are_asked_the_same_about_what_never_existed():
    for probe in ("reverse", "indirect"):
        real, never = asked(probe), asked(probe, NEVER)
        assert real.keys() == never.keys()
        for name, question in never.items():
            row = FACTS[name]
            key = row.answer if probe == "reverse" else row.subject
            assert key in real[name].prompt
            assert f" {key} " not in f" {question.prompt.rstrip('?')} "
            assert question.answer == real[name].answer


def test_symbols_that_never_existed_are_no_elements():
    symbols = {row.answer for row in rows() if row.relation == "symbol"}
    for name, question in asked("reverse", NEVER).items():
        if FACTS[name].relation == "symbol":
            assert question.answer_prefix.split()[0] not in symbols


def test_a_summary_of_the_subject_is_to_hold_the_answer():
    row = of("author", "A Brief History of Time")
    question = probes_of(row)["summary"]
    assert question.prompt == "Write down all you know about A Brief History of Time."
    assert (question.answer, question.aliases) == ("Stephen Hawking", ("Hawking",))
    assert probes_of(row, NEVER)["summary"].prompt == f"Write down all you know about {NEVER}."
