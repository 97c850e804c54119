# Everything a fresh machine needs is Python 3.11, git and make.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The locked versions; tests run against exactly these.
LOCK := requirements.lock

.PHONY: help setup test lint demo bench lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(LOCK) --group dev --group bench -e .
	touch $@

setup: $(STAMP)  ## make the virtual environment with all that is needed

test: $(STAMP)  ## run all tests
	$(BIN)/pytest -n 2 --dist worksteal

lint: $(STAMP)  ## ruff and mypy, strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock:  ## write the locked versions anew (names and versions only)
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-lock/bin/pip install --quiet --group dev --group bench .
	$(VENV)-lock/bin/pip freeze --exclude pycurrent > $(LOCK)
	rm -rf $(VENV)-lock

clean:  ## remove what make made
	rm -rf $(VENV) demo bench.json .mypy_cache .ruff_cache .pytest_cache
