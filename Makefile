# Causeway: `make run` and `make test` are the only two commands a new user needs. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OURS := libs/common services/gateway services/storage services/integrations services/logic libs/testing libs/cli
WEB := clients
WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/dist-console/*' -not -name .built) scripts/web.py
SOURCES := libs services scripts tests
FAST := tests/unit tests/contract tests/suites
PARALLEL := -n auto --maxprocesses 4 --dist loadscope
N ?= 20

.PHONY: help setup run test check fmt pictures lock soak bench contracts clean

help: ## print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(VENV)/.ready $(WEB)/.built ## make .venv with everything in it, .venv/bin/causeway included, and build the web application

$(VENV)/.ready: constraints.txt pyproject.toml $(OURS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Causeway needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@echo "making $(VENV), once …"
	@$(PYTHON) -m venv $(VENV)
	@echo "installing the $$(grep -c == constraints.txt) packages of constraints.txt …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r constraints.txt
	@echo "installing Causeway's own distributions …"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(OURS:%=-e %)
	@touch $@

$(WEB)/.built: $(VENV)/.ready $(WEB_SOURCES)
	@echo "building the web application …"
	@$(BIN)/python scripts/web.py
	@touch $@

run: setup ## start the whole system on this machine (Ctrl-C stops it)
	exec $(BIN)/causeway dev $(ARGS)

test: check ## everything that must hold: check, then every test, real processes included (about nineteen minutes on 2 cores)
	$(BIN)/python -m pytest $(PARALLEL) $(FAST:%=--ignore=%) $(ARGS)

check: setup ## formatting, lint, types, import rules and the fast tests
	$(BIN)/ruff format --quiet --check $(SOURCES)
	$(BIN)/ruff check --quiet $(SOURCES)
	$(BIN)/mypy --no-error-summary $(SOURCES)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q $(PARALLEL) $(FAST)

fmt: setup ## format the code and apply the safe lint fixes
	$(BIN)/ruff check --quiet --fix $(SOURCES) || true
	$(BIN)/ruff format --quiet $(SOURCES)

soak: setup ## the killing tests N times over, seeds 1 to N (make soak N=20), 10,000 schedules of each app, ten minutes of fuzzing each target
	$(BIN)/python -m pytest --fuzz-seconds=600 tests/fuzz $(ARGS)
	$(BIN)/python -m pytest -m soak --soak-runs=$(N) tests/chaos tests/unit/logic $(ARGS)

bench: setup ## measure what the documents claim
	$(BIN)/python -m tests.bench $(ARGS)

pictures: setup ## take the README's pictures anew (needs Chromium)
	$(BIN)/python scripts/pictures.py

lock: setup ## make constraints.txt anew from the distributions' dependency lists
	$(BIN)/python scripts/lock.py $(OURS:%=%/pyproject.toml)

contracts: setup ## write the reference apps' contracts anew; a change that breaks one is refused
	@for app in $(notdir $(patsubst %/__init__.py,%,$(wildcard services/logic/apps/*/__init__.py))); do \
	  $(BIN)/causeway schema apps.$$app:app --format json-schema --out services/logic/apps/contracts/$$app.json; done

clean: ## remove what was made here: .venv, caches, the dev stack's data
	rm -rf $(VENV) $(WEB)/node_modules $(WEB)/.built $(WEB)/web/dist $(WEB)/web/dist-console .causeway .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -type d -prune -exec rm -rf {} +
