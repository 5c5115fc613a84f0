"""Tables of rows: the attack named for a row, and the metrics that have pages."""

import pandas as pd
import pytest

from leaderboard.build import STATIC
from leaderboard.metric_pages import _of_metrics
from leaderboard.plots import SYMBOLS, looks_of
from leaderboard.tables import _worst


def attacks(**left):
    """Forgetting left after each attack, by variant in order; None where the attack was not run."""
    return pd.DataFrame(
        [
            {"task": "t", "variant": str(number), "attack": attack, "value": value}
            for attack, values in left.items()
            for number, value in enumerate(values)
            if value is not None
        ]
    )


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ({"quantize": (0.8, 0.9), "relearn": (0.4, 0.9)}, "relearn"),
        # `prefix` was run only on the second variant, where both others leave less.
        ({"quantize": (0.1, 0.9), "relearn": (0.3, 0.7), "prefix": (None, 0.8)}, "relearn"),
        ({"quantize": (0.5, None), "prefix": (None, 0.4)}, "prefix"),  # no shared variant
        ({"quantize": (0.01, 0.01), "relearn": (0.01, 0.01), "prefix": (0.01, 0.02)}, ""),
    ],
)
def test_the_worst_attack_is_found_where_all_were_made_and_none_of_several_is_named(left, expected):
    assert _worst(attacks(**left)) == expected


def test_a_metric_that_only_an_attack_measures_has_the_row_of_the_attack():
    judged = pd.DataFrame({"metric": ["rouge", "paraphrase: rouge", "sampling: leak_at_16"]})
    assert list(_of_metrics(judged)["metric"]) == ["rouge", "leak_at_16"]


def test_no_two_of_fifty_names_look_alike_in_plots_or_in_tables():
    assert len(set(looks_of(map(str, range(50))).values())) == 50
    css = (STATIC / "site.css").read_text()
    assert [symbol for symbol in SYMBOLS if f".dot.{symbol} " not in css] == ["square"]
