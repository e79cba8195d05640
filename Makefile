# Every target makes .venv from the pinned requirements by itself.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup test check demo bench

setup: .venv/.ready

.venv/.ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed ($(PYTHON) was not found); name another with make PYTHON=…" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/mailwarden demo $(DEMO_ARGS)

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mailwarden rules check
	$(BIN)/python -m pytest

bench: setup
	$(BIN)/python tests/bench/throughput.py
