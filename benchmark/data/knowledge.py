"""What a pretrained model knows of a task's candidates, as a source of task data."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BadInput

SURVEYS = "surveys"


class NotAsked(BadInput):
    """Nobody has asked the model of a track yet what it knows of a task's candidates."""

    def __init__(self, task: str, track: str) -> None:
        asks = f"`palimpsest survey --task {task} --track {track}` asks it, as `run` does before it begins"
        super().__init__(f"{task} on {track}: it is not known yet what this model knows; {asks}")
        self.task, self.track = task, track


@dataclass(frozen=True)
class Knowledge:
    """What a model knows of one fact, both between 0 and 1.

    `generated`: share of wordings that it answers rightly. `probability`: mean length-normalised probability of the
    answer over wordings.
    """

    generated: float
    probability: float


@dataclass(frozen=True)
class Pretrained:
    """The ground of tasks on a pretrained model: `model` is the key of its weights, `track` how one names it.

    On a development track tasks choose other examples than those that are scored. `surveyed` is the key of other
    weights of the same model, whose survey counts where there is no own.
    """

    track: str
    model: str
    development: bool
    home: Path
    surveyed: str = ""

    def known(self, task: str, shipped: Path) -> dict[str, Knowledge]:
        """What the model knows of a task's candidates, by example; NotAsked if nobody has asked it yet.

        `shipped` is the folder of the surveys that come with the task.
        """
        places = [self.survey_file(task), *(shipped / f"{key}.csv" for key in (self.model, self.surveyed) if key)]
        path = next((p for p in places if p.is_file()), None)
        if path is None:
            raise NotAsked(task, self.track)
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {row["id"]: Knowledge(float(row["generated"]), float(row["probability"])) for row in rows}

    def survey_file(self, task: str) -> Path:
        """Where a survey of this model is kept."""
        return self.home / SURVEYS / task / f"{self.model}.csv"
