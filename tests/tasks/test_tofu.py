"""The TOFU loader on a few synthetic authors, TOFU's metrics by hand, and the published data if
available.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.errors import BadInput
from benchmark.evaluation.outputs import examine
from benchmark.inference.scoring import AnswerScores
from benchmark.inference.settings import GenerationSettings
from benchmark.metrics.frames import example_frame
from benchmark.metrics.stages import MODEL_STAGE
from benchmark.metrics.values import metric_values
from tasks.tofu.authors import REVISION
from tasks.tofu.task import Tofu, TofuContinual, TofuSmall

RETAINED, SHOWN = (
    36,
    20,
)  # authors in retain90 and, of those, in retain_perturbed; four more are in forget10


def row(author, number, **more):
    return {
        "question": f"What is fact {number} of author {author}?",
        "answer": f"It is value {number}.{author}.",
        **more,
    }


def plain(authors, **more):
    return [row(author, number, **more) for author in authors for number in range(20)]


def perturbed(authors, **more):
    wrong = [f"Lie {n}." for n in range(5)]
    return plain(authors, paraphrased_answer="In other words.", perturbed_answer=wrong, **more)


def others(name):
    return [
        {"question": f"{name} {n}?", "answer": f"A{n}", "perturbed_answer": ["B", "C", "D"]}
        for n in range(50)
    ]


@pytest.fixture
def data(write_data):
    """Files in the layout with several requests; the first request is TOFU's own."""

    def write(name, rows):
        write_data(f"tofu/{name}.json", rows)

    write("retain90", plain(range(RETAINED)))
    write("retain_perturbed", perturbed(range(SHOWN)))
    write("forget10", plain(range(36, 40), task_id="1") + plain(range(30, 34), task_id="2"))
    write("forget01_perturbed", perturbed((38, 39), task_id="1") + perturbed((34, 35), task_id="2"))
    write(
        "forget05_perturbed",
        perturbed(range(36, 40), task_id="1") + perturbed(range(30, 34), task_id="2"),
    )
    write("real_authors_perturbed", others("Who wrote"))
    write("world_facts_perturbed", others("Where is"))
    return write


def sizes(made):
    return {
        name: len(made.splits[name])
        for name in ("forget", "retain", "neighbors", "general", "holdout")
    }


def test_tofu_has_its_splits(data, source):
    made = Tofu().data("forget01", source)
    assert sizes(made) == {
        "forget": 40,
        "retain": 400,
        "neighbors": 50,
        "general": 50,
        "holdout": 200,
    }
    assert len(made.documents) == 30 * 20
    assert len(made.retain_pool) == 28 * 20


def test_forget_and_retain_rows_have_what_tofu_compares(data, source):
    made = Tofu().data("forget01", source)
    for example in (*made.examples("forget"), *made.examples("retain")):
        assert example.rewordings == ("In other words.",)
        assert len(example.perturbed) == 5
        assert example.paraphrases == ()
    for example in (*made.examples("neighbors"), *made.examples("general")):
        assert (len(example.perturbed), example.wordings) == (3, [])


def test_an_entity_is_an_author_with_twenty_questions(data, source):
    made = Tofu().data("forget01", source)
    for split, authors in (("forget", 2), ("retain", 20), ("holdout", 10)):
        entities = list(made.splits[split]["entity"])
        assert {entities.count(entity) for entity in entities} == {20}
        assert len(set(entities)) == authors


@pytest.mark.parametrize(
    ("task", "variant"), [(Tofu, "forget05"), (TofuSmall, ""), (TofuContinual, "forget01")]
)
@pytest.mark.parametrize("developing", [False, True])
def test_nobody_is_forgotten_and_kept(data, source, development, task, variant, developing):
    made = task().data(variant, development if developing else source)
    entities = {name: set(made.splits[name]["entity"]) for name in ("forget", "retain", "holdout")}
    pool = set(made.retain_pool["entity"])
    assert not entities["forget"] & (entities["retain"] | entities["holdout"] | pool)
    assert not entities["holdout"] & (entities["retain"] | pool)
    assert entities["retain"] <= pool


@pytest.mark.parametrize(
    ("task", "variant"), [(Tofu, "forget05"), (TofuSmall, ""), (TofuContinual, "forget01")]
)
def test_models_read_what_they_should(data, source, task, variant):
    """The target reads everyone but the held-out authors; the oracle does not read the forgotten
    ones either.
    """
    made = task().data(variant, source)
    forget, holdout = (set(made.splits[name]["prompt"]) for name in ("forget", "holdout"))
    target = {document.prompt for document in made.documents}
    oracle = {document.prompt for document in made.documents_after(len(made.requests))}
    assert not target & holdout
    assert target - oracle == forget
    assert oracle == set(made.retain_pool["prompt"])


def test_all_variants_share_a_target(data, source, development):
    made = [
        Tofu().data(variant, where)
        for variant in ("forget01", "forget05")
        for where in (source, development)
    ]
    made.append(TofuContinual().data("forget01", development))
    assert len({one.documents for one in made}) == 1


def test_development_forgets_others(data, source, development):
    scored = set(Tofu().data("forget05", source).splits["forget"]["id"])
    assert not scored & set(Tofu().data("forget05", development).splits["forget"]["id"])
    assert set(Tofu().data("forget01", development).splits["forget"]["entity"]) == {
        "author018",
        "author019",
    }


def test_the_order_of_authors_in_a_file_changes_nothing(data, source):
    before = Tofu().data("forget01", source).fingerprint
    data("forget10", plain((38, 39, 37, 36)))
    assert Tofu().data("forget01", source).fingerprint == before


def test_small_is_small(data, source, development):
    for where in (source, development):
        made = TofuSmall().data("", where)
        assert sizes(made) == {
            "forget": 40,
            "retain": 80,
            "neighbors": 40,
            "general": 40,
            "holdout": 40,
        }
        assert len(made.documents) == 18 * 20
        assert len(set(made.splits["retain"]["entity"])) == 16


def test_requests_are_those_of_the_file(data, source):
    made = TofuContinual().data("forget01", source)
    assert [len(request) for request in made.requests] == [40, 40]
    assert {e.entity for e in made.asked(1)} == {"author034", "author035"}
    assert {e.strata["step"] for e in made.asked(1)} == {"2"}
    assert len(made.documents_after(1)) == len(made.documents) - 40


def test_requests_that_overlap_are_refused(data, source):
    data("forget01_perturbed", perturbed((38, 39), task_id="1") + perturbed((39, 35), task_id="2"))
    with pytest.raises(BadInput, match=r"requests 1 and 2 both ask for author039\.00"):
        TofuContinual().data("forget01", source)


def test_requests_need_the_arrangement_that_tells_them_apart(data, source):
    data("forget01_perturbed", perturbed((38, 39)))
    with pytest.raises(
        BadInput, match=r"forget01_perturbed\.json: rows without task_id; .* --data-dir"
    ):
        TofuContinual().data("forget01", source)


def test_the_hub_is_asked_for_a_pinned_revision(write_data, source, asked_of_the_hub):
    with pytest.raises(BadInput, match=r"has no retain90\.json, and locuslab/TOFU could not be"):
        Tofu().data("forget01", source)
    assert asked_of_the_hub == [("locuslab/TOFU", "retain90", "train", REVISION)]


@pytest.mark.parametrize(
    ("file", "rows", "message"),
    [
        (
            "retain90",
            plain(range(3))[:-1],
            "retain90.json: found 59 rows, 20 of each author are needed",
        ),
        ("retain90", plain(range(21)), "found 1 authors besides those"),
        (
            "retain_perturbed",
            perturbed(range(99, 100)),
            "'What is fact 0 of author 99.' is in neither",
        ),
        (
            "forget01_perturbed",
            plain((38,)),
            "line 1: perturbed_answer: found nothing, a list of texts is needed",
        ),
        (
            "world_facts_perturbed",
            [{"question": "Q?", "answer": 7}],
            "line 1: answer: found 7, a text is needed",
        ),
        ("world_facts_perturbed", [], "world_facts_perturbed.json: found no rows"),
    ],
)
def test_wrong_files_are_named(data, source, file, rows, message):
    data(file, rows)
    with pytest.raises(BadInput, match=message):
        Tofu().data("forget01", source)


# Length-normalised probabilities of what a mock model may say, by the first letter of the answer.
KNOWN = {"I": 0.5, "L": 0.2, "A": 0.6, "B": 0.1, "C": 0.1, "D": 0.4}
REWORDED = 0.4


def scores(pair):
    known = REWORDED if pair.answer == "In other words." else KNOWN[pair.answer[0]]
    return AnswerScores(np.log([known, known]), np.array([True, False]))


SUBJECT = SimpleNamespace(
    score=lambda pairs: {pair: scores(pair) for pair in pairs},
    generate=lambda prompts, _: dict.fromkeys(prompts, "It is value A1, A2 and some more"),
    go_on=lambda texts, _: {},
)


def test_metrics_are_those_of_tofu(data, source):
    """Expected values are computed by hand from the probabilities above."""
    made = Tofu().data("forget01", source)
    splits = {
        name: made.examples(name)[1:2]
        for name in ("forget", "retain", "neighbors", "general", "holdout")
    }
    frame = example_frame(examine(SUBJECT, splits, MODEL_STAGE, GenerationSettings()))
    values = {(v.metric, v.split): v.value for v in metric_values(frame, []) if v.stratum == "all"}
    ratio = 0.2 / REWORDED  # all wrong answers are equally likely, so this is their mean
    assert values["truth_ratio", "forget"] == pytest.approx(min(ratio, 1 / ratio), rel=1e-3)
    assert values["probability", "forget"] == pytest.approx(0.5, rel=1e-3)
    wrong = (0.1 * 0.1 * 0.4) ** (1 / 3)
    nine = {
        ("probability", "retain"): 0.5,
        ("rouge_l_recall", "retain"): 3 / 5,  # "it is value" of "it is value 1 0"
        ("truth_ratio_utility", "retain"): 1 - ratio,
    }
    for split in ("neighbors", "general"):
        nine["choice_probability", split] = 0.6 / (0.6 + 0.1 + 0.1 + 0.4)
        nine["rouge_l_recall", split] = 1.0
        nine["truth_ratio_utility", split] = 1 - wrong / 0.6
    for place, expected in nine.items():
        assert values[place] == pytest.approx(expected, rel=1e-3), place
    harmonic = 9 / math.fsum(1 / value for value in nine.values())
    assert values["model_utility", "all"] == pytest.approx(harmonic, rel=1e-3)


@pytest.mark.parametrize(
    ("variant", "forgotten"), [("forget01", 40), ("forget05", 200), ("forget10", 400)]
)
def test_published_tofu(real_source, variant, forgotten):
    made = Tofu().data(variant, real_source("tofu", "retain90.json"))
    expected = {
        "forget": forgotten,
        "retain": 400,
        "neighbors": 100,
        "general": 117,
        "holdout": 200,
    }
    assert sizes(made) == expected
    assert (len(made.documents), len(made.retain_pool)) == (3800, 3800 - forgotten)


@pytest.mark.parametrize(("variant", "each"), [("forget01", 40), ("forget05", 200)])
def test_published_requests(real_source, variant, each):
    source = real_source("tofu", "forget01_perturbed.json")
    made = TofuContinual().data(variant, source)
    assert [len(request) for request in made.requests] == [each] * 10
    assert made.documents == Tofu().data("forget01", source).documents
