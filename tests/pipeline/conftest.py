"""A tiny track whose cells keep their outputs, as those of a development track do not."""

from dataclasses import replace

import pytest

from benchmark.models import tracks


@pytest.fixture(scope="module")
def tiny():
    """The track `tiny`, known for the time of a module's tests: its models learn next to nothing
    in seconds.
    """
    track = replace(tracks.track_named("tiny-dev"), name="tiny")
    with pytest.MonkeyPatch.context() as patch:
        known = tracks._tracks() | {track.name: track}
        patch.setattr(tracks, "_tracks", lambda: known)
        yield track
