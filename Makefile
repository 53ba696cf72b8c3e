# Every target makes .venv by itself and installs what constraints.txt locks.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := src tests benchmarks starter docs/api.py
export OPENBLAS_NUM_THREADS ?= 2

.PHONY: demo test check lint types layers api clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv/run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

demo: .venv/run
	$(BIN)/anclaf demo demo

test: .venv/ready
	$(BIN)/python -m pytest

lint: .venv/ready
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: .venv/ready
	$(BIN)/pyright

layers: .venv/ready
	$(BIN)/lint-imports

api: .venv/ready
	$(BIN)/python docs/api.py build/api

check: lint types layers
	$(BIN)/python -m pytest --cov --cov-report=term

clean:
	rm -rf .venv demo build/api
