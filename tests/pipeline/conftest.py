"""Fixtures: a tiny track whose cells keep their outputs, unlike those of a development track, and
an attack that no track has.
"""

import copy
from dataclasses import replace

import pytest
import torch

from benchmark.core import registry
from benchmark.core.attack import Attack
from benchmark.models import tracks


@pytest.fixture(scope="module")
def tiny():
    """The track `tiny`, registered while a module's tests run: its models train in seconds and
    learn next to nothing.
    """
    declared = tracks.track_named("tiny-dev")
    track = replace(declared, name="tiny", attacks=declared.attacks[:2])
    with pytest.MonkeyPatch.context() as patch:
        known = tracks._tracks() | {track.name: track}
        patch.setattr(tracks, "_tracks", lambda: known)
        yield track


@pytest.fixture(scope="module")
def shake():
    """An attack that tests add to a track: it shifts every weight by a hundredth."""

    @registry.register_attack("shake", version=1, source="test")
    class Shake(Attack):
        """Shifts every weight."""

        @torch.no_grad()
        def apply(self, model, request):
            attacked = copy.deepcopy(model)
            for weight in attacked.parameters():
                weight.add_(0.01)
            return attacked

    registry.attacks()
    yield Shake()
    registry._ATTACKS.pop("shake")
