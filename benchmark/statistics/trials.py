"""The score of a trial on a development track, computed when it is made: a trial keeps no outputs
from which it could be computed later.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmark.records.identity import ORACLE, TARGET
from benchmark.records.schema import TrialScore
from benchmark.statistics.axes import AXES
from benchmark.statistics.bootstrap import REPLICATES
from benchmark.statistics.variants import score_variant

_TRIAL = "trial"


def trial_score(
    trial: pd.DataFrame, target: pd.DataFrame, oracles: Sequence[pd.DataFrame], budget_steps: int
) -> TrialScore:
    """Axes and score of a trial from example frames; `oracles` are in the order of their seeds.

    Draws are those of every other trial with the same references, so that two can be compared
    draw by draw.
    """
    frames = {TARGET: target, _TRIAL: trial}
    frames |= {f"{ORACLE} {seed}": frame for seed, frame in enumerate(oracles, 1)}
    roles = {TARGET: TARGET, _TRIAL: "method"}
    index = pd.DataFrame(
        [
            {
                "id": name,
                "role": roles.get(name, ORACLE),
                "method": roles.get(name, ORACLE),
                "seed": int(name.removeprefix(ORACLE)) if name not in roles else 0,
                "budget_steps": budget_steps,
            }
            for name in frames
        ]
    )
    scored = score_variant(index, frames, REPLICATES)
    return TrialScore.of(
        {axis: float(scored.quantity("method", axis)[0]) for axis in AXES},
        scored.quantity("method", "score"),
    )
