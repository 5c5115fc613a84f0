"""`palimpsest perf` on a model so small that only the rows matter, not their values."""

import torch
from toy_models import PLAIN, tiny_model, tiny_tokenizer

from benchmark.tools.perf import measure


def test_every_backend_and_precision_has_its_rows(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    said, threads = [], torch.get_num_threads()
    rows = measure(tmp_path, PLAIN, said.append, quick=True, vllm=False)
    assert torch.get_num_threads() == threads
    assert list(rows.columns) == [
        "what",
        "backend",
        "precision",
        "batch",
        "value",
        "unit",
        "share_of_peak",
    ]
    assert (rows.value > 0).all()
    assert said
    for precision in ("float32", "bfloat16"):
        own = rows[rows.precision == precision]
        assert own[own.unit == "GFLOP/s"].share_of_peak.max() == 1
        generation = own[own.what == "generation"]
        assert list(generation.batch) == [1, 4]
        assert set(generation.backend) == {"hf"}
        assert set(own[own.unit == "tokens/s"].what) == {"generation", "scoring", "training step"}


def test_a_token_counts_two_operations_for_each_parameter_and_six_in_training(tmp_path):
    model = tiny_model()
    model.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    parameters = sum(p.numel() for p in model.parameters())
    rows = measure(tmp_path, PLAIN, lambda said: None, quick=True, vllm=False)
    for precision, own in rows.groupby("precision"):
        peak = own[own.unit == "GFLOP/s"].value.max() * 1e9
        for row in own[own.unit == "tokens/s"].itertuples():
            operations = (6 if row.what == "training step" else 2) * parameters * row.value
            assert abs(row.share_of_peak - operations / peak) < 1e-9, precision
