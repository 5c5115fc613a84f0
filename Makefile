# Palimpsest: `make bench` and `make test` are all that a new user needs.
PYTHON ?= python3
SUITE ?= quick
OUT ?= runs
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help venv bench site test lint docs clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

venv: .venv/.installed  ## create the environment with what is pinned

bench: venv  ## run the suite (SUITE=quick) into OUT=runs, print the ranking, build the site
	$(BIN)/palimpsest run --suite $(SUITE) --out $(OUT)
	$(BIN)/palimpsest site --results $(OUT) --out site

site: venv  ## build the leaderboard of the published records in results/
	$(BIN)/palimpsest site --results results --out site

test: venv  ## lint, type-check and run all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lint: venv  ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: venv  ## write the pages and figures that come from registries and records
	$(BIN)/python -m benchmark.reference
	$(BIN)/python -m leaderboard.documents

clean:  ## remove environment, models, runs and site
	rm -rf .venv .palimpsest runs site
