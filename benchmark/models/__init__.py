"""Models: the artifact store, the controlled track's pretraining, pretrained models, targets and
oracles.
"""

from benchmark.core.inputs import Inputs
from benchmark.models.artifacts import ArtifactStore
from benchmark.models.controlled import ControlledModels
from benchmark.models.pretrained import PretrainedModels
from benchmark.models.tracks import ControlledTrack, Track

Models = ControlledModels | PretrainedModels


def models_of(track: Track, inputs: Inputs) -> Models:
    """The models of a track."""
    if isinstance(track, ControlledTrack):
        return ControlledModels(track, ArtifactStore(inputs.home, inputs.store))
    return PretrainedModels(track, inputs)
