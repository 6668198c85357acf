# The two commands that matter: `make up` runs Vigie, `make test` proves it. `make help` lists all.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
VIGIE := $(VENV)/bin/vigie
# Recordings of real people are used by path, never copied; a seeded ward serves without them.
# They are looked for beside the checkout, unless VIGIE_RECORDINGS names another folder.
export VIGIE_RECORDINGS ?= $(wildcard $(abspath ../shared/data))
# So are the published definitions, whose examples the formats are held to.
export VIGIE_FHIR ?= $(wildcard $(abspath ../shared/fhir))

.PHONY: help up down test check format lint types unit bench bench-peers evaluate drill fuzz install servers clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.complete ## the virtual environment with everything that Vigie needs

$(VENV)/.complete: pyproject.toml constraints.txt deploy/local/python.sh
	@deploy/local/python.sh $(VENV)

servers: install ## install what is missing of Mosquitto, Kafka, TimescaleDB, Prometheus
	@$(VIGIE) servers install

up: install ## install what is missing, start everything with a simulated ward (DETACH=1: return when ready)
	@$(VIGIE) up $(if $(filter-out 0,$(DETACH)),--detach)

down: ## stop all that `make up` started; its data stays
	@if [ -x $(VIGIE) ]; then $(VIGIE) down; else echo "nothing was started from here"; fi

check: format lint types unit ## format, lint, types, import rules, unit tests

format: install
	@echo "== format"; $(VENV)/bin/ruff format --check .

lint: install
	@echo "== lint"; $(VENV)/bin/ruff check . && $(VENV)/bin/codespell && $(VENV)/bin/lint-imports --no-cache | tail -n 12 && $(VENV)/bin/validate-pyproject pyproject.toml

types: install
	@echo "== types"; $(VENV)/bin/mypy

unit: install
	@echo "== unit tests"; $(VENV)/bin/pytest -q -m "not servers and not chaos"

test: servers ## everything: make check, then the whole suite on real servers, beside a running `make up`
	@$(MAKE) --no-print-directory format lint
	@tests/everything.sh $(VENV)/bin

bench: servers ## speed, each figure as a ratio in one run; written to docs/performance.md by hand
	@$(VENV)/bin/python -m tests.benchmarks

bench-peers: servers ## the gateway beside Telegraf, built from source with Go (once, a minute or two)
	@$(VENV)/bin/python -m tests.benchmarks.peers

evaluate: install ## the detectors on real recordings: docs/evaluation.md (TASK=nab: one; CHECK=1: compare only)
	@$(VENV)/bin/python -m tests.evaluation $(if $(TASK),--only $(TASK)) $(if $(filter-out 0,$(CHECK)),--check)

drill: servers ## 10,000 devices enrolled, 2,000 of them at once over mutual TLS (MINUTES=30, RATE=200)
	@$(VENV)/bin/python -m tests.drills.fleet --minutes $(or $(MINUTES),30) --rate $(or $(RATE),200)

fuzz: install ## coverage-guided fuzzing of every format (FORMAT=gatt for one, MINUTES=1 of each)
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@for format in $(or $(FORMAT),vigie fhir omh gatt raw); do echo "== $$format"; \
	  $(VENV)/bin/python -m tests.fuzz $$format --seconds $$((60 * $(or $(MINUTES),1))) || exit 1; done

clean: ## remove caches (not the state in .vigie, not the environment)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
