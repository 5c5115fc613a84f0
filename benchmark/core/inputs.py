"""Locations on this machine; commands determine them once and pass them on with every job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HOME_VARIABLE, MODELS_VARIABLE, DATA_VARIABLE, STORE_VARIABLE = (
    "PALIMPSEST_HOME",
    "PALIMPSEST_MODELS",
    "PALIMPSEST_DATA",
    "PALIMPSEST_STORE",
)
DEFAULT_HOME = ".palimpsest"


@dataclass(frozen=True)
class Inputs:
    """Locations: `home` holds artifacts, `models` holds models by the last part of their names.

    `data` is a folder of data sets, or of a single one (`--data-dir`); `forget` and `retain` are
    files with the user's own questions, with answer form `answers`; `track_file` describes the
    user's own models. `store` is the address of a second artifact store, which machines share.
    """

    home: Path
    models: Path | None = None
    data: Path | None = None
    forget: Path | None = None
    retain: Path | None = None
    track_file: Path | None = None
    answers: Literal["name", "sentence"] = "name"
    store: str = ""

    @classmethod
    def of(
        cls,
        environment: Mapping[str, str],
        data: Path | None = None,
        forget: Path | None = None,
        retain: Path | None = None,
        track_file: Path | None = None,
        answers: Literal["name", "sentence"] = "name",
    ) -> Inputs:
        """Locations from the environment, extended or overridden by a command's options."""

        def named(variable: str) -> Path | None:
            return Path(environment[variable]) if environment.get(variable) else None

        home, models = named(HOME_VARIABLE) or Path(DEFAULT_HOME), named(MODELS_VARIABLE)
        paths = (models, data or named(DATA_VARIABLE), forget, retain, track_file)
        models, data, forget, retain, track_file = (path and path.resolve() for path in paths)
        store = environment.get(STORE_VARIABLE, "")
        return cls(home.resolve(), models, data, forget, retain, track_file, answers, store)

    def data_file(self, data_set: str, file: str) -> Path | None:
        """The path of a data set's file, in the data set's subfolder or the data folder itself;
        None if there is none.
        """
        places = [self.data / data_set / file, self.data / file] if self.data else []
        return next((path for path in places if path.is_file()), None)
