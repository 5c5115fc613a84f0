"""A synthetic results folder that tests fill run by run."""

from dataclasses import replace

from benchmark.records.identity import BudgetInfo, Identity, MethodInfo, TaskInfo
from benchmark.records.schema import Failure
from benchmark.records.store import ResultStore

TRACK = "toy"
FREQUENCIES = {"low": ("1", "2"), "high": ("16", "32")}
# How well each synthetic model knows (the forget set, everything else); twin is a copy of gentle.
KNOWLEDGE = {
    "target": (0.9, 0.9),
    "oracle": (0.2, 0.9),
    "none": (0.9, 0.9),
    "gentle": (0.3, 0.85),
    "twin": (0.3, 0.85),
    "harsh": (0.8, 0.5),
    "hasty": (0.3, 0.85),
}
HOSTILE = "<script>alert(1)</script>"
HOSTILE_END = "</script><script>alert(2)</script>"
HOSTILE_ERROR = "ValueError: <img src=x onerror=alert(3)>"


def identity_of(variant, name, seed, track=TRACK, source="s0"):
    """Identity of a cell; a different `source` stands for the same method after a code change."""
    return Identity(
        track=track,
        task=TaskInfo(name="frequency", version=1, variant=variant, data_fingerprint="d0"),
        models=[f"m{seed if name == 'oracle' else 0}"],
        method=MethodInfo(
            name=name,
            reference="",
            family="test",
            sees=["forget"],
            anchor=name == "none",
            source_hash=source,
            parameters={},
        ),
        seed=seed,
        budget=BudgetInfo(steps=3, batch_size=2),
        precision="float32",
        settings={"profile": {"prompts": "bare"}},
    )


def record_id(variant, name, seed, track=TRACK):
    return identity_of(variant, name, seed, track).id


class Folder:
    """A results folder that is filled run by run."""

    def __init__(self, root, make_record, model_samples):
        self.store = ResultStore(root)
        self._make_record, self._model_samples = make_record, model_samples

    def samples(self, variant, name, seed):
        """The model's samples; forget examples are tagged by how often they were seen."""

        def tagged(sample, number):
            return replace(
                sample,
                strata={"frequency": FREQUENCIES[variant][number % 2]} if sample.strata else {},
            )

        return [tagged(s, i) for i, s in enumerate(self._model_samples(*KNOWLEDGE[name], seed))]

    def add(self, variant, name, seed=0, samples=None, source="s0", track=TRACK, **changes):
        """Writes a successful record and returns it."""
        samples = samples or self.samples(variant, name, seed)
        oracles = {
            record_id(variant, "oracle", s, track): self.samples(variant, "oracle", s)
            for s in (1, 2)
        }
        identity = identity_of(variant, name, seed, track, source)
        record, _ = self._make_record(name, seed, samples, oracles, identity, **changes)
        self.store.write(record, samples)
        return record

    def add_error(self, variant, name, seed=0, track=TRACK):
        """Writes an error record and returns it."""
        failure = Failure(
            type="ValueError", message=HOSTILE_ERROR, traceback=f"Traceback\n{HOSTILE_ERROR}"
        )
        identity = identity_of(variant, name, seed, track)
        nothing = {"shards": {}, "metrics": {}, "values": {}, "references": None}
        samples = self.samples(variant, "target", 0)
        record, _ = self._make_record(
            name, seed, samples, {}, identity, status="error", error=failure, **nothing
        )
        self.store.write(record, None)
        return record
