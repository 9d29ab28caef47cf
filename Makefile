# One word per chore. `make run` and `make test` need Python 3.11 or newer and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url pyproject.toml --group build
WORKERS ?= 2
TESTS ?= tests

.PHONY: help env run test check demo killed bench up lock migration clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1|/' | column -t -s '|'

env: $(VENV)/.dev ## the environment for development, in .venv

run: $(VENV)/.run ## everything in one process, with its own PostgreSQL; data in .omniroute
	@$(BIN)/omniroute up

demo: $(VENV)/.run ## what `run` does, with a seeded company and a stream of customers
	@$(BIN)/omniroute demo

test: $(VENV)/.dev ## all tests, real Kafka and PostgreSQL included (TESTS=tests/unit for some)
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(TESTS)

check: $(VENV)/.dev ## lint, types, architecture, migrations
	$(BIN)/ruff check .
	$(BIN)/mypy libs services migrations tests $(wildcard benchmarks)
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/vulture
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive libs services migrations
	$(BIN)/pytest --quiet tests/architecture

killed: $(VENV)/.dev ## 2,000 contacts while everything is killed at every point three times: a quarter of an hour
	@OMNIROUTE_TEST_KILLED=full $(BIN)/pytest tests/integration/killed

bench: $(VENV)/.dev ## the figures of the README
	@$(BIN)/python -m benchmarks

up: ## the cluster on this machine: Kafka, PostgreSQL, Prometheus, Grafana and every service
	docker compose up --build

lock: | $(BIN)/python ## resolve the dependencies again (UPGRADE=--upgrade for newer ones)
	@$(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip install --quiet uv
	$(VENV)/uv/bin/$(COMPILE) $(UPGRADE) --output-file requirements.lock
	$(VENV)/uv/bin/$(COMPILE) $(UPGRADE) --group dev --constraint requirements.lock --output-file requirements-dev.lock

migration: $(VENV)/.dev ## write the next migration from the tables: make migration NAME="what it does"
	@test -n "$(NAME)" || { echo 'say what it does: make migration NAME="…"'; exit 2; }
	@$(BIN)/python -m migrations.draft "$(NAME)"

clean: ## remove the environment and the caches, never the data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (or say which: make PYTHON=…)"; exit 2; }
	@echo "Preparing the environment in $(VENV) (once, about a minute) …"
	@$(PYTHON) -m venv $(VENV)

# The lock pins and hashes everything, the build backend too; the project itself is then linked, not resolved.
$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run
