"""Examples known by any probe, on models small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics import METRICS
from benchmark.metrics.union import DIRECT, known_by_any, known_by_probe
from benchmark.metrics.values import metric_values
from benchmark.statistics import findings, standings
from benchmark.statistics.probes import DIFFERENCE, UNION, probe_rows
from benchmark.statistics.scores import score_run
from benchmark.statistics.variants import score_variant

PLACE = ("toy", "towns", "all")
NAN = float("nan")


def model(direct="0000", form="name", **probes):
    """A frame of whether a, b, c and d are known, one digit each (`-` failed, ` ` not asked), by
    the direct question and by probes; each is about a different entity.
    """
    rows = []
    for stage, known in {"model": direct, **probes}.items():
        metric = "exact_answer_trained" if stage == "model" else "exact_answer"
        for example, digit in zip("abcd", known, strict=True):
            name = example if stage == "model" else f"{example}~{stage}"
            value = {metric: NAN if digit == "-" else float(digit)} if digit != " " else None
            if value is not None:
                about = {"stage": stage, "split": "forget", "example": name, "entity": example}
                rows.append(about | {"form": form, "features": "", "strata": "{}"} | value)
    columns = ["stage", "split", "example", "entity", "form", "features", "strata", *METRICS]
    return pd.DataFrame(rows).reindex(columns=columns)


TARGET = model("1100", jailbreak="1010", reverse="01  ")
ORACLES = [model(jailbreak="0010", reverse="10  "), model(jailbreak="0001", reverse="00  ")]
NOTHING = model(jailbreak="0000", reverse="00  ")
SOME = model(jailbreak="1001", reverse="01  ")


def rows_of(*runs, target=TARGET, oracles=ORACLES, names=("target", "oracle", "mine"), draws=200):
    roles = [("target", 0, target), *(("oracle", s, f) for s, f in enumerate(oracles, 1))]
    roles += [("method", seed, frame) for seed, frame in enumerate(runs)]
    frames = {f"{role}{seed}": frame for role, seed, frame in roles}
    index = pd.DataFrame(
        {"id": f"{role}{seed}", "role": role, "seed": seed}
        | {"method": "mine" if role == "method" else role, "target": "target0"}
        for role, seed, _ in roles
    )
    return pd.DataFrame(probe_rows(PLACE, index, frames, draws, names))


def values_of(*runs, **changes):
    rows = rows_of(*runs, **changes)
    return {(r.method, r.quantity): r.value for r in rows.itertuples()}


def test_an_example_is_known_if_any_probe_gets_it_that_the_target_passes():
    """The target passes direct and jailbreak on a, direct and reverse on b, jailbreak on c, and
    nothing on d: the method knows a and b. Its answer about d does not count, nor does the first
    oracle's reverse answer about a.
    """
    values = values_of(SOME)
    assert values["target", UNION] == 3 / 4
    assert values["oracle", UNION] == pytest.approx((1 / 4 + 0) / 2)
    assert values["mine", UNION] == 2 / 4
    assert values["mine", DIFFERENCE] == pytest.approx(2 / 4 - 1 / 8)
    assert values["target", DIFFERENCE] == pytest.approx(3 / 4 - 1 / 8)
    assert ("oracle", DIFFERENCE) not in values


def test_each_probe_has_the_share_of_the_examples_that_it_asks_for():
    values = values_of(SOME)
    rates = {name: values["target", name] for name in (DIRECT, "jailbreak", "reverse")}
    assert rates == {DIRECT: 1 / 2, "jailbreak": 1 / 2, "reverse": 1 / 2}
    shares = {name: values["mine", name] for name in rates}
    assert shares == {DIRECT: 0, "jailbreak": 1 / 4, "reverse": 1 / 2}
    counts = rows_of(SOME).set_index("quantity")["n"].groupby(level=0).unique()
    assert {name: list(n) for name, n in counts.items()} == {
        UNION: [4], DIFFERENCE: [4], DIRECT: [4], "jailbreak": [4], "reverse": [2],
    }  # fmt: skip


def test_a_probe_that_tells_a_part_of_the_answer_is_listed_and_does_not_count():
    """All models guess the rest of the answer, which changes no union."""
    told = {"prefix": "1111"}
    target = pd.concat([TARGET, model(**told).query("stage == 'prefix'")])
    guessed = model(jailbreak="1001", reverse="01  ", **told)
    oracles = [model(jailbreak="0010", reverse="10  ", **told)] * 2
    values = values_of(guessed, target=target, oracles=oracles)
    assert values["mine", "prefix"] == 1
    assert values["mine", UNION] == values_of(SOME)["mine", UNION]
    alone = rows_of(model(**told), target=model("1100", **told), oracles=[model(**told)] * 2)
    assert alone.empty, "the question itself is no union"


def test_the_union_exceeds_the_best_probe():
    values = values_of(SOME)
    best = max(values["mine", name] for name in (DIRECT, "jailbreak"))
    assert values["mine", UNION] > best


def test_seeds_are_averaged_and_intervals_hold_the_estimate():
    rows = rows_of(SOME, NOTHING).set_index(["method", "quantity"])
    assert rows.loc[("mine", UNION), "value"] == (2 / 4 + 0) / 2
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    assert rows.loc[("mine", UNION), "high"] > rows.loc[("mine", UNION), "value"]


def test_the_difference_is_paired_over_entities():
    """For two models that know the same examples, the difference is zero in every draw."""
    oracles = [NOTHING, NOTHING]
    rows = rows_of(NOTHING, oracles=oracles).set_index(["method", "quantity"])
    assert rows.loc[("mine", DIFFERENCE), ["value", "low", "high"]].tolist() == [0, 0, 0]
    told = rows_of(TARGET, oracles=[TARGET, TARGET]).set_index(["method", "quantity"])
    assert told.loc[("mine", DIFFERENCE), ["value", "low", "high"]].tolist() == [0, 0, 0]
    assert told.loc[("mine", UNION), "low"] < 3 / 4, "while the share itself varies"


def test_what_failed_is_neither_known_nor_unknown():
    """On c the only probe failed; on b one failed and another got the answer."""
    broken = model("0-00", jailbreak="10-0", reverse="01  ")
    values = values_of(broken)
    assert values["mine", UNION] == 2 / 3
    assert values["mine", "jailbreak"] == 1 / 3
    passed = pd.DataFrame({"x": [True, True], "y": [True, False]})
    known = pd.DataFrame({"x": [NAN, NAN], "y": [1.0, 1.0]})
    assert known_by_any(known, passed).tolist()[0] == 1
    assert np.isnan(known_by_any(known, passed)[1])


def test_one_of_several_wordings_is_enough_and_draws_count_where_they_tell_more_often_than_not():
    frame = model("0000", jailbreak="0000")
    wordings = model(one="1000", two="0100").query("stage != 'model'")
    wordings = wordings.assign(stage="paraphrase")
    drawn = model(sampling="1100").query("stage != 'model'")
    drawn["leak_at_1"], drawn["leak_at_16"] = 0.1, [0.6, 0.4, 0.5, 0.0]
    known = known_by_probe(pd.concat([frame, wordings, drawn], ignore_index=True))
    assert known["paraphrase"].tolist() == [1, 1, 0, 0]
    assert known["sampling"].tolist() == [1, 0, 1, 0], "of the most draws, not of the greedy answer"
    assert known[DIRECT].tolist() == [0, 0, 0, 0]


def test_without_other_ways_of_asking_there_is_nothing_to_say():
    plain = model("1100")
    assert rows_of(plain, target=plain, oracles=[model(), model()]).empty
    assert rows_of(SOME, oracles=[model(), *ORACLES]).empty, "an oracle was asked less"
    sentences = model("1111", form="sentence", jailbreak="1111")
    assert rows_of(sentences, target=sentences, oracles=[sentences] * 2).empty


def union_value(frame, target):
    values = [v for v in metric_values(frame, ORACLES, target) if v.metric == "union_of_probes"]
    assert {(v.stage, v.split, v.stratum) for v in values} <= {("model", "forget", "all")}
    return [(v.value, v.n_scored, v.n_failed) for v in values]


def test_the_union_is_a_value_of_every_record():
    """The target reveals each of a, b and c to some probe, and d to none."""
    assert union_value(TARGET, TARGET) == [(3 / 4, 4, 0)]
    assert union_value(ORACLES[0], TARGET) == [(1 / 4, 4, 0)], "c; of a the target fails `reverse`"
    assert union_value(model("0-00", jailbreak="10-0", reverse="01  "), TARGET) == [(2 / 3, 3, 1)]
    assert union_value(TARGET, None) == [], "without a target nothing says which probes count"
    plain = model("1100")
    assert union_value(plain, plain) == [], "asked in no other way"
    assert union_value(model(jailbreak="0000"), TARGET) == [], "never asked by `reverse`"


def scored(mine, target, oracles):
    frames = {"target": target, "mine": mine, **dict(zip(("o1", "o2"), oracles, strict=True))}
    roles = {"target": "target", "mine": "method", "o1": "oracle", "o2": "oracle"}
    rows = [
        {"id": name, "role": role, "method": role, "seed": int(name == "o2")}
        | {"target": "target", "budget_steps": 1}
        for name, role in roles.items()
    ]
    return score_variant(pd.DataFrame(rows), frames, 50)


def test_the_union_is_part_of_forgetting_where_anybody_was_asked_in_other_ways():
    """The method reveals a and b, the target a, b and c, one oracle c and the other nothing."""
    key = ("model", "forget", "union_of_probes", "all")
    found = scored(SOME, TARGET, ORACLES)
    assert found.target[key][0] == 3 / 4
    assert found.oracle[key][0] == 1 / 8
    run = score_run(found.runs["method"][0].values, found.target, found.oracle, {key})
    assert run.parts[key][0] == pytest.approx(1 - (2 / 4 - 1 / 8) / (3 / 4 - 1 / 8))
    assert run.axes["forgetting"][0] == run.parts[key][0]
    plain = scored(model("1100"), model("1111"), [model(), model()])
    assert key not in plain.target.keys() | plain.runs["method"][0].values.keys()


def test_a_method_that_was_asked_less_has_no_row():
    lacking = model(jailbreak="1111")
    rows = rows_of(lacking)
    assert set(rows["method"]) == {"target", "oracle"}
    assert set(rows_of(SOME, names=["mine"])["method"]) == {"mine"}


def test_probes_count_that_the_target_of_the_same_seed_passes():
    """The second target passes only the question about d, which its own run answers; the first
    target passes d by no probe. The oracles' share is the mean over both targets.
    """
    other = model("0001", jailbreak="0000", reverse="00  ")
    own = model("0001", jailbreak="1001", reverse="01  ")
    roles = [("target0", "target", 0, TARGET), ("target1", "target", 1, other)]
    roles += [(f"oracle{s}", "oracle", s, f) for s, f in enumerate(ORACLES, 1)]
    roles += [("mine0", "method", 0, SOME), ("mine1", "method", 1, own)]
    frames = {name: frame for name, _, _, frame in roles}
    index = pd.DataFrame(
        {"id": name, "role": role, "seed": seed, "method": "mine" if role == "method" else role}
        | {"target": f"target{seed}" if role != "oracle" else "target0", "budget_steps": 1}
        for name, role, seed, _ in roles
    )
    rows = pd.DataFrame(probe_rows(PLACE, index, frames, 50, ["target", "oracle", "mine"]))
    union = rows[rows["quantity"] == UNION].set_index("method")["value"]
    assert union["target"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert union["mine"] == pytest.approx((2 / 4 + 1 / 4) / 2)
    assert union["oracle"] == pytest.approx(((1 / 4 + 0) / 2 + 0) / 2)
    key = ("model", "forget", "union_of_probes", "all")
    scores = score_variant(index, frames, 50)
    first, second = scores.runs["mine"].values()
    assert (first.values[key][0], second.values[key][0]) == (2 / 4, 1 / 4)
    assert (first.oracle[key][0], second.oracle[key][0]) == (pytest.approx(1 / 8), 0)


def test_standings_and_findings_show_it():
    board = {"target": TARGET, "oracle1": ORACLES[0], "oracle2": ORACLES[1], "mine": SOME}
    where = dict(zip(("track", "task", "variant"), PLACE, strict=True))
    index = pd.DataFrame(
        where
        | {"id": name, "role": role, "method": role if role != "method" else name}
        | {
            "seed": seed,
            "target": "target",
            "budget_steps": 4,
            "anchor": role != "method",
            "division": "weights",
        }
        for name, role, seed in [
            ("target", "target", 0),
            ("oracle1", "oracle", 1),
            ("oracle2", "oracle", 2),
            ("mine", "method", 0),
        ]
    )
    scores = standings(index, board, replicates=20)
    table = findings(scores, "towns")["Known by any probe that the target passes"]
    assert list(table["method"]) == ["target", "oracle", "mine"]
    assert list(table.columns) == [
        "variant", "method", UNION, DIFFERENCE, DIRECT, "jailbreak", "reverse"
    ]  # fmt: skip
    assert table[UNION].str.startswith(("0.750", "0.125", "0.500")).all()
    assert table.loc[1, DIFFERENCE] == "–"
