"""What a pretrained model knows of a task's candidates, as a source of task data."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.inputs import Inputs
from benchmark.errors import BadInput

PROBED = "knowledge"


class NotProbed(BadInput):
    """The track's model has not been probed for a task's candidate facts."""

    def __init__(self, task: str, track: str) -> None:
        asks = (
            f"run `palimpsest probe --task {task} --track {track}` (`palimpsest run` does so "
            "automatically)"
        )
        super().__init__(f"{task} on {track}: this model's knowledge has not been probed; {asks}")
        self.task, self.track = task, track


@dataclass(frozen=True)
class Knowledge:
    """What a model knows of one fact, both between 0 and 1.

    `generated`: share of wordings that it answers rightly. `probability`: mean length-normalised
    probability of the answer over wordings.
    """

    generated: float
    probability: float


@dataclass(frozen=True)
class PretrainedModel:
    """The data source of tasks on a pretrained model: `model` is the key of its weights, `track`
    how one names it.

    `inputs` says where the user's data sets and questions are.

    On a development track tasks choose other examples than those that are scored. `probed` is the
    key of other weights of the same model, whose knowledge probe counts where there is none of
    these.
    """

    track: str
    model: str
    development: bool
    inputs: Inputs
    probed: str = ""

    def known(self, task: str, shipped: Path) -> dict[str, Knowledge]:
        """What the model knows of a task's candidates, by example; NotProbed if there is no
        knowledge probe.

        `shipped` is the folder of the knowledge probes that come with the task.
        """
        places = [
            self.knowledge_file(task),
            *(shipped / f"{key}.csv" for key in (self.model, self.probed) if key),
        ]
        path = next((p for p in places if p.is_file()), None)
        if path is None:
            raise NotProbed(task, self.track)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            row["id"]: Knowledge(float(row["generated"]), float(row["probability"])) for row in rows
        }

    def knowledge_file(self, task: str) -> Path:
        """Where the knowledge probe of this model is kept."""
        return self.inputs.home / PROBED / task / f"{self.model}.csv"
