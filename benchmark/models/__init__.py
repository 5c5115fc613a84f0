"""Models: the artifact store, the controlled track's pretraining, pretrained models, targets and oracles."""

from benchmark.models.artifacts import ArtifactStore
from benchmark.models.controlled import ControlledModels
from benchmark.models.pretrained import PretrainedModels
from benchmark.models.tracks import ControlledTrack, Track

Models = ControlledModels | PretrainedModels


def models_of(track: Track, store: ArtifactStore) -> Models:
    """The models of a track."""
    return ControlledModels(track, store) if isinstance(track, ControlledTrack) else PretrainedModels(track, store)
