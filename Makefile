# One-word commands. Each makes the environment it needs in .venv; nothing outside this folder is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   ?=
JOBS   ?= logical# test processes: one for each core

.DEFAULT_GOAL := help
.PHONY: help demo test check conformance bench serve docs pane lock clean

help:  ## print this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mailweir needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up .venv (first time only; some 400 MB) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready  ## work through an invented mailbox and show what was linked, held and why
	@$(BIN)/mailweir demo

test: $(VENV)/ready  ## lint, types and every test that needs nothing from outside
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -m "not conformance" -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(VENV)/ready  ## lint and types only
	@$(BIN)/ruff check .
	@$(BIN)/mypy

conformance: $(VENV)/ready  ## the suites over outside data: make conformance DATA=../shared
	@test -n "$(DATA)" || { echo "name the data folder: make conformance DATA=../shared"; exit 2; }
	@MAILWEIR_CONFORMANCE_DATA="$(abspath $(DATA))" $(BIN)/python -m pytest -m conformance \
	  -n $(JOBS) --dist loadfile --no-loadscope-reorder

bench: $(VENV)/ready  ## speed and memory against peers, as ratios
	@$(BIN)/python -m tests.benchmarks

serve: $(VENV)/ready  ## run web service and worker on ./home (made when missing) until stopped
	@$(BIN)/mailweir init --home home
	@$(BIN)/mailweir serve --home home

docs: $(VENV)/ready  ## write docs/reference.md anew from the program
	@PYTHONPATH=tests/support $(BIN)/python tests/support/reference.py

pane: $(VENV)/ready  ## build the Outlook pane anew into addin/pane/built (fetches Node from PyPI, packages from npm)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable ".[addin-build]"
	@$(BIN)/python tests/support/pane_types.py
	@$(BIN)/python tests/support/pane_build.py

lock:  ## make requirements.lock anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra test \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean:  ## remove everything make made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
