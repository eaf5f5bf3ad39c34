# The two commands of the README are `make demo` and `make test`.
# Both work in a fresh clone with git, make and Python >= 3.11, and nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
USE    := $(VENV)/.installed-use
STAMP  := $(VENV)/.installed

.PHONY: venv demo test lint types soak bench showcase docs clean

venv: $(STAMP)

# What a user needs: everything but the tests' tools and the heavy extras.
$(USE): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("equipoise needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --only-binary=:all: hatchling editables
	$(BIN)/python -m pip install --quiet --prefer-binary --no-build-isolation -e '.[all]'
	touch $(USE)

$(STAMP): $(USE)
	$(BIN)/python -m pip install --quiet --prefer-binary --no-build-isolation -e '.[dev]'
	touch $(STAMP)

demo: $(USE)
	$(BIN)/equipoise study run studies/gss2018.toml --out out/gss2018

lint: venv
	$(BIN)/ruff check src tests benchmarks tools examples
	$(BIN)/ruff format --check src tests benchmarks tools examples

types: venv
	$(BIN)/mypy

test: venv lint types
	$(BIN)/python -m pytest -m "not soak"

# Long runs, outside witnesses and a two-node Ray cluster; figures go to benchmarks/results.
soak: venv
	$(BIN)/python -m pip install --quiet --prefer-binary -e '.[dev,ray,witness]'
	$(BIN)/python -m pytest -m soak

# equipoise and its peers on the same games in one run: dated JSON, a figure, the README table.
bench: venv
	$(BIN)/python -m pip install --quiet --prefer-binary -e '.[dev,witness]'
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.readme

# The worked study of docs/showcase.md: trains three groups, measures, steers, serves, audits. It
# goes on where it was; about an hour on two cores.
showcase: venv
	$(BIN)/python -m pip install --quiet --prefer-binary -c constraints-train.txt -e '.[dev,train]'
	$(BIN)/python -m tools.showcase

# The documentation, as the tests build it: open site/index.html.
docs: venv
	$(BIN)/python -m tools.pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) out site .mypy_cache .ruff_cache .hypothesis
