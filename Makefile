# `make` alone lists the targets. Everything that they make is in .venv and .cache; `make clean` removes it.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Twice as many as there are cores: most tests wait, for a radio, a cable or a chip's time.
WORKERS = $(shell expr $$(nproc) \* 2)

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(READY) ## a site, a virtual kiosk and its visitors, told on one screen
	@micropython=$$(tools/micropython) && ADMIT_MICROPYTHON=$$micropython $(BIN)/admit demo $(ARGS)

test: $(READY) ## run all tests, on CPython and on MicroPython (ARGS=… goes to pytest)
	@tools/micropython-wasm >/dev/null
	@tools/phone-tools >/dev/null
	@tools/chromium >/dev/null
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) ## lint, formatting and types; changes nothing
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@tsc=$$(tools/phone-tools)/typescript/bin/tsc && node $$tsc --project tsconfig.json && node $$tsc --project tsconfig.sw.json

fix: $(READY) ## mend what can be mended by a machine: imports, formatting
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(READY) ## print the figures that the project promises, and what they are now
	@$(BIN)/python tests/bench/run.py $(ARGS)

clean: ## remove everything that make has made
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tools/debian-needs python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "admit needs Python 3.11 or newer: make PYTHON=…")'
	@echo "making .venv, once: the first time this takes about a minute" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
