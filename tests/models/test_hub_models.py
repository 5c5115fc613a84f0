"""Hub models at a pinned revision: downloads resume after a broken connection, and scores equal
those from a folder.
"""

import json

import pytest
from toy_models import tiny_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model whose weights take several of the 10 MB pieces in which files are downloaded."""
    folder = tmp_path_factory.mktemp("model") / "wide"
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=512,
        num_hidden_layers=2,
        intermediate_size=2048,
        num_attention_heads=2,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    assert (folder / WEIGHTS).stat().st_size > 30_000_000
    return folder


@pytest.fixture
def questions(tmp_path):
    """Command-line options that name custom question files."""
    options = []
    for side, count in (("forget", 4), ("retain", 8)):
        rows = [
            {"question": f"Who is {side} {n}?", "answer": f"Name {n}", "subject": f"{side} {n}"}
            for n in range(count)
        ]
        path = tmp_path / f"{side}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options += [f"--{side}", path]
    return options


def test_a_download_that_breaks_off_goes_on_where_it_was(
    palimpsest, questions, hub, folder, tmp_path
):
    commit = hub.put("model", "ada/wide", {p.name: p.read_bytes() for p in folder.iterdir()})
    hub.broken.add(WEIGHTS)
    values = {}
    for model in (f"ada/wide@{commit}", folder):
        file = tmp_path / f"{len(values)}.json"
        ran = palimpsest(
            "evaluate", "--task", "custom", "--model", model, *questions, "--json", file
        )
        assert ran.returncode == 0, ran.stderr
        values[model] = json.loads(file.read_text())["values"]
    assert hub.served[WEIGHTS, 200] == hub.served[WEIGHTS, 206] == 1
    of_hub, of_folder = values.values()
    assert of_hub == of_folder != []


@pytest.mark.parametrize(
    ("revision", "said"),
    [("0" * 40, "RevisionNotFoundError"), ("main", "pickled weights are never loaded")],
)
def test_what_is_not_on_the_hub_or_not_safe_is_told_in_a_line(
    palimpsest, questions, hub, revision, said
):
    hub.put("model", "ada/pickled", {"config.json": b"{}", "pytorch_model.bin": b"?"})
    ran = palimpsest(
        "evaluate", "--task", "custom", "--model", f"ada/pickled@{revision}", *questions
    )
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert said in ran.stderr.strip().splitlines()[-1]
