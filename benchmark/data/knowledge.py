"""Pretrained models as a source of task data, with their knowledge of a task's candidates."""

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
    """A model's knowledge of one fact, by two measures between 0 and 1.

    `generated`: fraction of wordings that it answers correctly. `probability`: mean
    length-normalised probability of the answer over wordings.
    """

    generated: float
    probability: float


@dataclass(frozen=True)
class PretrainedModel:
    """The data source of tasks on a pretrained model: `model` is the key of its weights, `track`
    the name that users give it.

    `inputs` locates the user's data sets and questions.

    On a development track, tasks choose examples that are never scored. `probed` is the key of
    other weights of the same model, whose shipped knowledge probe is used if these weights have
    none.
    """

    track: str
    model: str
    development: bool
    inputs: Inputs
    probed: str = ""

    def known(self, task: str, shipped: Path) -> dict[str, Knowledge]:
        """The model's knowledge of a task's candidates, by example id; NotProbed if there is no
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
        """The path of this model's knowledge probe."""
        return self.inputs.home / PROBED / task / f"{self.model}.csv"
