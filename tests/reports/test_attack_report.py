"""`report --attacks`: each pair of attacks once, without anchors."""

from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from benchmark.errors import BadInput
from benchmark.records.derived import Derived
from benchmark.reports import attack_report
from benchmark.reports.attack_report import print_attacks

LEFT = {"no attack": [0.1, 0.2, 0.3], "noise": [0.3, 0.2, 0.1], "prune": [0.5, 0.5, 0.5]}


def printed(monkeypatch, tmp_path, left):
    rows = pd.DataFrame(
        {"track": "toy", "task": "towns", "variant": "low", "method": method}
        | {"attack": attack, "value": value}
        for attack, values in left.items()
        for method, value in zip(("mine", "yours", "none"), values, strict=True)
    )
    anchors = {"mine": False, "yours": False, "none": True}
    overall = pd.DataFrame(
        {"track": "toy", "method": method, "anchor": anchor} for method, anchor in anchors.items()
    )
    standings = SimpleNamespace(attacks=rows, overall=overall)
    monkeypatch.setattr(attack_report, "published_standings", lambda *_: standings)
    console = Console(width=120, record=True)
    print_attacks(tmp_path, console, Derived())
    return console.export_text()


def test_a_matrix_and_each_pair_with_its_points_without_anchors(monkeypatch, tmp_path):
    text = printed(monkeypatch, tmp_path, LEFT)
    assert "toy: agreement of attacks" in text
    cells = [line.split() for line in text.splitlines()]
    assert ["2", "noise", "-1.00", "–", "–"] in cells
    assert ["no", "attack", "noise", "-1.00", "[-1.00,", "-1.00]", "2", "2"] in cells
    assert ["noise", "prune", "–", "2", "2"] in cells, "all methods tie after it"
    assert sum(line[-2:] == ["2", "2"] for line in cells) == 3


def test_without_an_attack_to_compare_there_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(BadInput, match="do not differ enough"):
        printed(monkeypatch, tmp_path, {"no attack": LEFT["no attack"]})
