# Every target makes .venv by itself and installs what constraints.txt locks.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := src tests benchmarks starter docs
# Two at a time, each with one thread; a file's tests stay together, as what they share is made once for each process.
JOBS ?= 2
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest
SUITE := $(PYTEST) -n $(JOBS) --dist loadfile
export OPENBLAS_NUM_THREADS ?= 2
# What is installed is compiled when it is first imported, for most of it never is; so Python must be let write that.
unexport PYTHONDONTWRITEBYTECODE
PIP := --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

.PHONY: demo starter test test-all test-browser check lint types layers site clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP) --editable '.[dev]'
	touch $@

.venv/run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP) --editable '.[train]'
	touch $@

# Then the starter model on VIDEO, or on the drawn video of somebody new.
demo: .venv/run
	$(BIN)/anclaf demo demo
	$(BIN)/anclaf predict "$(or $(VIDEO),demo/unseen.mp4)" --out demo/starter --resume

# The model that comes with the package, from nothing: docs/starter.md says where RIG (one or several) and ASSETS come from.
STARTER ?= build/starter
starter: .venv/ready
	$(BIN)/python -m starter build $(STARTER) $(foreach rig,$(RIG),--rig $(rig)) --assets $(ASSETS) --identities 3000 --jobs 2

test: .venv/ready
	$(SUITE) -m "not thorough"

test-all: .venv/ready
	$(SUITE)

# The pages in Debian's or another Chromium: CHROMIUM names one that is not found by itself, ONNXRUNTIME_WEB the npm package.
test-browser: .venv/ready
	$(PYTEST) -m browser tests/app tests/web

lint: .venv/ready
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: .venv/ready
	$(BIN)/pyright

layers: .venv/ready
	$(BIN)/lint-imports

# The documentation, with the API, into build/site; it needs no network, and any broken link is an error.
site: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

check: lint types layers
	$(SUITE) --cov --cov-report=term

clean:
	rm -rf .venv demo build/site
