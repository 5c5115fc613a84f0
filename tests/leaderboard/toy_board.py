"""A synthetic results folder that tests fill run by run."""

import hashlib
from dataclasses import replace

from benchmark.records.schema import Failure, MethodInfo, References, TaskInfo
from benchmark.records.store import ResultStore

TRACK = "toy"
FREQUENCIES = {"low": ("1", "2"), "high": ("16", "32")}
# How well each synthetic model knows the forget set and all the rest; twin is gentle once more.
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


def method_info(name):
    return MethodInfo(
        name=name,
        reference="",
        family="test",
        sees=["forget"],
        anchor=name == "none",
        source_hash="s0",
        parameters={},
    )


def record_id(variant, name, seed):
    return hashlib.sha256(f"{variant}-{name}-{seed}".encode()).hexdigest()[:16]


class Folder:
    """A results folder that is filled run by run."""

    def __init__(self, root, make_record, model_samples):
        self.store = ResultStore(root)
        self._make_record, self._model_samples = make_record, model_samples

    def samples(self, variant, name, seed):
        """The model's samples, forget examples tagged by how often they were seen."""

        def tagged(sample, number):
            return replace(
                sample,
                strata={"frequency": FREQUENCIES[variant][number % 2]} if sample.strata else {},
            )

        return [tagged(s, i) for i, s in enumerate(self._model_samples(*KNOWLEDGE[name], seed))]

    def add(self, variant, name, seed=0, samples=None, **changes):
        """Writes a successful record and returns it."""
        samples = samples or self.samples(variant, name, seed)
        oracles = {
            record_id(variant, "oracle", s): self.samples(variant, "oracle", s) for s in (1, 2)
        }
        record, content = self._make_record(name, seed, samples, oracles)
        own = changes.get("id", record_id(variant, name, seed))
        fields = self._fields(variant, name, own) | {
            "references": References(target=record_id(variant, "target", 0), oracles=list(oracles)),
            "samples": record.samples.model_copy(update={"file": f"{own}.samples.parquet"}),
        }
        record = record.model_copy(update=fields | changes)
        self.store.write(record, content)
        return record

    def add_error(self, variant, name, seed=0, **changes):
        """Writes a record of a failure and returns it."""
        record, _ = self._make_record("target", seed, self.samples(variant, "target", 0), {})
        nothing = {
            "status": "error",
            "model": None,
            "references": None,
            "values": [],
            "samples": None,
        }
        failure = Failure(
            type="ValueError", message=HOSTILE_ERROR, traceback=f"Traceback\n{HOSTILE_ERROR}"
        )
        fields = (
            self._fields(variant, name, record_id(variant, name, seed))
            | nothing
            | {"error": failure}
        )
        record = record.model_copy(update=fields | changes)
        self.store.write(record, None)
        return record

    @staticmethod
    def _fields(variant, name, own):
        task = TaskInfo(name="frequency", version=1, variant=variant, data_fingerprint="d0")
        return {"id": own, "track": TRACK, "task": task, "method": method_info(name)}
