"""Models: the artefact store, the controlled track's pretraining, pretrained models, targets and oracles."""

from benchmark.models.artifacts import ArtefactStore
from benchmark.models.controlled import ControlledModels
from benchmark.models.pretrained import PretrainedModels
from benchmark.models.tracks import ControlledTrack, Track

Models = ControlledModels | PretrainedModels


def models_of(track: Track, store: ArtefactStore) -> Models:
    """The models of a track."""
    return ControlledModels(track, store) if isinstance(track, ControlledTrack) else PretrainedModels(track, store)
