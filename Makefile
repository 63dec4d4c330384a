# Everything a newcomer needs; `make` alone lists it.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
SOURCES := backend core_ext graphql_schema tenants loadtests tests setup.py

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench torture load load-day pool-day week month clean lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/pip.stamp: requirements.txt
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/core.stamp: $(VENV)/pip.stamp setup.py pyproject.toml $(wildcard core_ext/*.pyx core_ext/*.pxd)
	@echo "Compiling the core …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/core.stamp requirements-dev.txt
	@echo "Installing what the tests need …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/core.stamp ## a brand that lives: everything starts, orders arrive (Ctrl-C stops it)
	@$(BIN)/yipan demo

test: $(VENV)/dev.stamp ## every test, on real PostgreSQL and Valkey
	@$(BIN)/python -m pytest --quiet --numprocesses=3 --dist=loadfile

lint: $(VENV)/dev.stamp ## formatting, lint and strict types
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy

bench: $(VENV)/dev.stamp ## every benchmark once: planner, availability, admit, intake, checkout, hotsku, hotquota, appointments, freshness, whatif, fulfilment (quick)
	@for name in planner availability admit intake checkout hotsku hotquota appointments freshness whatif fulfilment; do $(BIN)/yipan bench $$name --quick || exit 1; done

torture: $(VENV)/dev.stamp ## 20,000 histories in which everything goes wrong, some on real servers; random pools and orders
	@$(BIN)/python -m loadtests.torture.run
	@$(BIN)/python -m loadtests.torture.real
	@$(BIN)/python -m loadtests.torture.pairs
	@$(BIN)/python -m loadtests.torture.availability
	@$(BIN)/python -m loadtests.torture.optimum

load: $(VENV)/dev.stamp ## a minute of load, with its thresholds, on servers of its own
	@$(BIN)/python -m loadtests.locust.run

load-day: $(VENV)/dev.stamp ## a promotion day in ten minutes, with its own thresholds
	@$(BIN)/python -m loadtests.locust.run --day

pool-day: $(VENV)/dev.stamp ## a day of 40 shops: a promotion, late purchase orders, a platform that fails
	@$(BIN)/python -m loadtests.pool_day.run

week: $(VENV)/dev.stamp ## a week of the demo's brand by seed: 10,000 orders and everything that is done to them
	@$(BIN)/python -m loadtests.week.run

month: $(VENV)/dev.stamp ## a month of 40 dealers by seed: what they agree on, order, owe and pay
	@$(BIN)/python -m loadtests.month.run

lock: ## lock the packages of requirements*.in anew
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet uv
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate $$name.in -o $$name.txt; done

clean: ## remove what was built or installed here; the demo's data (.yipan) stays
	@rm -rf $(VENV) build *.egg-info core_ext/*.c core_ext/*.so
