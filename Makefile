# Each target is one line to read. The same commands for Windows stand in README.md.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: install run test test-all lab bench lint lock

install: .venv/installed
run: install      ; @$(BIN)/labkit run
lab: install      ; @$(BIN)/labkit lab
test: .venv/dev   ; @$(BIN)/python -m pytest -n 2 --dist loadfile -m "not all_runs"
test-all: .venv/dev ; @$(BIN)/python -m pytest -n 2 --dist loadfile
bench: .venv/dev  ; @$(BIN)/labkit bench --peer ministack
lint: .venv/dev   ; @$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing labkit into .venv (about 1 GB; some minutes the first time) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labkit needs Python 3.11 or newer; choose one: make PYTHON=python3.12 " + "$(MAKECMDGOALS)")'
	@$(PYTHON) -m venv .venv
	@$(PIP) install -r requirements.lock
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@

.venv/dev: .venv/installed requirements-dev.lock
	@echo "Installing what the tests need (another 300 MB) …"
	@$(PIP) install -r requirements-dev.lock
	@touch $@

# Needs uv; run it after a change of the dependencies in pyproject.toml.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-header --no-annotate -q -o requirements-dev.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate -q -c requirements-dev.lock -o requirements.lock
