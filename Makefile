# Everything runs in .venv, which is made when it is missing or older than pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
ENV := PATH="$(CURDIR)/$(BIN):$$PATH"
# Material for MkDocs advertises its successor at every run.
export NO_MKDOCS_2_WARNING = 1

.PHONY: help demo test slow fuzz lint docs bench faults levels prove mutants clean

help:
	@echo "make demo    a trained network becomes a bitstream, simulated and compared on the way (two minutes)"
	@echo "make test    the whole test suite with its coverage"
	@echo "make slow    two hundred random networks and long runs, which the test suite leaves out"
	@echo "make fuzz    damaged files at every reader for SECONDS (600), and what was found"
	@echo "make lint    style, format and types"
	@echo "make docs    the pages as a site, in build/site"
	@echo "make bench   measures, and writes the tables of the documentation"
	@echo "make faults  damages the traffic of a simulated board, and writes docs/faults.md"
	@echo "make levels  compares models at every level, for the table of docs/trust.md"
	@echo "make prove   proves the units, and writes docs/proofs.md"
	@echo "make mutants puts faults into generated hardware, and writes docs/mutants.md"
	@echo "make clean   removes .venv and what the other targets left"

demo: .venv/installed
	@$(ENV) bnnhw demo

test: .venv/installed-dev
	@$(ENV) pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered

slow: .venv/installed-dev
	@$(ENV) pytest -n 2 --dist worksteal -m slow

SECONDS ?= 600
fuzz: .venv/installed-dev
	@$(ENV) python -m tests.fuzz --seconds $(SECONDS)

lint: .venv/installed-dev
	@$(ENV) ruff check .
	@$(ENV) ruff format --check .
	@$(ENV) mypy

docs: .venv/installed-docs
	@$(ENV) mkdocs build

bench: .venv/installed-dev
	@$(ENV) python -m benchmarks designs

faults: .venv/installed-dev
	@$(ENV) python -m campaigns faults

prove: .venv/installed-dev
	@$(ENV) python -m proofs

levels: .venv/installed-dev
	@$(ENV) python -m campaigns levels

mutants: .venv/installed-dev
	@$(ENV) python -m campaigns mutants

clean:
	rm -rf .venv build dist bnnhw-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*

.venv/installed: TARGET = .
.venv/installed-docs: TARGET = .[docs]
.venv/installed-dev: TARGET = .[dev]
.venv/installed .venv/installed-docs .venv/installed-dev: pyproject.toml
	@echo "Setting up .venv (once; a few minutes where packages must be downloaded)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable "$(TARGET)"
	@touch $@
