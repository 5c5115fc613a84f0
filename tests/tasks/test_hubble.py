"""The Hubble loader on a few synthetic texts: halves of each number of insertions, and texts that
no model has read.
"""

from collections import Counter

import pytest

from benchmark.errors import BadInput
from benchmark.pipeline.suite import load_suite
from tasks.hubble.task import READS, WITHHELD, WORDS, Hubble


def text(split, reads, number):
    return {"text": f"{split} {reads} {number} " + "word " * 200, "duplicates": reads, "meta": "{}"}


@pytest.fixture
def data(write_data):
    """48 texts for each number of insertions, but eight for the largest."""

    def write(name, rows):
        write_data(f"hubble/{name}.json", rows)

    counts = dict.fromkeys(READS, 48) | {256: 8}
    write("yago_train", [text("in", n, i) for n, many in counts.items() for i in range(many)])
    write("yago_test", [text("out", 0, i) for i in range(300)])
    return write


def test_half_of_each_number_of_insertions_is_forgotten(data, source):
    made = Hubble().data("yago", source)
    reads = {s: Counter(e.strata["reads"] for e in made.examples(s)) for s in made.splits}
    assert reads["forget"] == {"1": 12, "4": 12, "16": 12, "64": 12, "256": 2}
    assert reads["retain_eval"] == {str(n): min(WITHHELD, 2 if n == 256 else 12) for n in READS}
    assert reads["retain"] == {str(n): 12 - WITHHELD for n in READS[:-1]}
    assert reads["holdout"] == {"0": 100}
    texts = [e.answer for split in made.splits for e in made.examples(split)]
    assert len(set(texts)) == len(texts)
    assert {len(t.split()) for t in texts} == {WORDS}


def test_models_without_the_forget_set_read_all_that_is_kept(data, source):
    made = Hubble().data("yago", source)
    forgotten = {e.id for e in made.examples("forget")}
    after = {d.example for d in made.documents_after(1)}
    assert after == {d.example for d in made.documents} - forgotten
    assert not made.proxies


def test_development_reads_the_other_half(data, source, development):
    scored, tried = (
        {e.answer for split in made.splits for e in made.examples(split)}
        for made in (Hubble().data("yago", s) for s in (source, development))
    )
    assert scored.isdisjoint(tried)


def test_too_few_texts_are_told(data, source):
    data("yago_train", [text("in", 4, i) for i in range(3)])
    with pytest.raises(
        BadInput, match="found at most 3 texts with the same number of duplicates, 4 are"
    ):
        Hubble().data("yago", source)


def test_no_oracle_of_the_suite_has_read_the_texts():
    """Oracles are named after the domains they read, which must not include the variant's own
    domain.
    """
    domains = {"hubble/yago": "privacy", "hubble/gutenberg": "copyright"}
    for variant, models in load_suite("hubble").published.items():
        assert len(set(models.oracles)) == 3
        assert not any(domains[variant] in name or "perturbed" in name for name in models.oracles)
