"""A trial's score equals its score in the full table of its variant, draw by draw."""

import numpy as np
import pandas as pd

from benchmark.metrics.frames import example_frame
from benchmark.statistics.axes import AXES
from benchmark.statistics.bootstrap import REPLICATES
from benchmark.statistics.trials import trial_score
from benchmark.statistics.variants import score_variant


def test_a_trial_scores_as_among_all_others(model_samples):
    known = {"target": 0.9, "oracle 1": 0.2, "oracle 2": 0.2, "alpha": 0.3, "beta": 0.7}
    frames = {
        name: example_frame(model_samples(level, 0.6 if name == "beta" else 0.9, seed))
        for seed, (name, level) in enumerate(known.items())
    }
    index = pd.DataFrame(
        [
            {
                "id": name,
                "role": role if (role := name.split()[0]) in ("target", "oracle") else "method",
                "method": name.split()[0],
                "seed": int(name.removeprefix("oracle")) if name.startswith("oracle") else 0,
                "target": "target",
                "budget_steps": 3,
            }
            for name in known
        ]
    )
    scored = score_variant(index, frames, REPLICATES)
    for name in ("alpha", "beta"):
        trial = trial_score(
            frames[name], frames["target"], [frames["oracle 1"], frames["oracle 2"]], 3
        )
        np.testing.assert_allclose(
            trial.replicates, scored.quantity(name, "score"), rtol=0, atol=0.5001e-3
        )
        for axis in AXES:
            np.testing.assert_allclose(
                trial.axes[axis], scored.quantity(name, axis)[0], rtol=5.001e-6
            )
