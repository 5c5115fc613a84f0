"""The controlled world: invented people, organisations and places, and the texts about them."""

from benchmark.data.world.corpus import base_corpus, documents_about
from benchmark.data.world.generator import Fact, Person, World
from benchmark.data.world.wordings import Wording, held_out_wordings, trained_wordings

__all__ = [
    "Fact",
    "Person",
    "Wording",
    "World",
    "base_corpus",
    "documents_about",
    "held_out_wordings",
    "trained_wordings",
]
