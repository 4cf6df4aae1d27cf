# make demo: from nothing to a trained, scored model.   make test: the tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install install-dev demo test test-all wheel-test mutants results lint clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/.installed ## make .venv and install what the commands of README.md need

install-dev: .venv/.installed-dev ## the same, and what tests and lint need

DEMO := runs/demo_$(shell date +%Y-%m-%d_%H-%M-%S)
demo: install ## train on generated street scenes, score the model, say what to type next
	$(BIN)/python train.py hydra.run.dir=$(DEMO)
	$(BIN)/python evaluate.py run=$(DEMO)

test: install-dev ## the fast tests, a file at a time on each core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist loadfile

test-all: install-dev ## every test
	$(BIN)/python -m pytest

wheel-test: install-dev ## build the wheel, install it elsewhere, try it from an empty folder
	$(BIN)/python -m pytest tests/test_installed.py

MUTANTS ?= segmentation.metrics.scores*
mutants: install-dev ## put faults into MUTANTS, a pattern; how many do the fast tests notice?
	OMP_NUM_THREADS=1 $(BIN)/mutmut run '$(MUTANTS)'
	$(BIN)/mutmut results

RESULTS ?= runs/results
results: install-dev ## bring the tables of docs/results.md and README.md up to date from the runs below RESULTS
	$(BIN)/python benchmarks/results.py $(RESULTS)
	$(BIN)/cog -r -I benchmarks docs/results.md README.md

lint: install-dev ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean: ## remove the environment and the caches; runs/ and datasets/ stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info

# uv installs what pip would, several times faster.
.venv/bin/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python {v[0]}.{v[1]} is too old: 3.11 or newer is needed; make install PYTHON=python3.11") if v < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/.installed: pyproject.toml | .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[report,wandb]'
	@touch $@

.venv/.installed-dev: pyproject.toml | .venv/.installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	@touch $@
