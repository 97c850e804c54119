# A fresh machine needs Python 3.11 or later, git and make.
# The first Python that .ci/pythons finds; PYTHON=... takes another.
PYTHON ?= $(shell .ci/pythons | sed -n '1s/^[^ ]* //p')
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SITE := $(VENV)/.site
STATIC := src/pycurrent/web/static
# The groups of what the tests need; on each other Python only those of the fast rooms run.
INSTALL ?= dev bench
# Options for the benchmarks: "--only chain list", "--quick".
BENCH ?=
# How long the campaign runs, and the seed of its random choices.
SECONDS ?= 60
SEED ?=
# The commit that the source is compared with.
BEFORE ?=
# The locked versions; the tests run with exactly these.
LOCK := requirements.lock

define NEEDS_PYTHON
test -n "$(PYTHON)" || { \
	echo "There is no Python 3.11 or later here with venv and pip." >&2; \
	echo "Install one (on Debian and Ubuntu: python3 and python3-venv), or give PYTHON=/path/to/python3." >&2; \
	exit 1; }
endef

.PHONY: help setup test properties test-pythons test-places lint demo pictures screenshots bench campaign campaign-durable house release lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml $(LOCK)
	@$(NEEDS_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(LOCK) $(INSTALL:%=--group %) -e .
	touch $@

# Installing the package joins the scripts and styles of the pages, so install again after a change.
$(SITE): $(STAMP) hatch_build.py package-lock.json $(wildcard $(STATIC)/css/*.css $(STATIC)/js/*.js $(STATIC)/js/*/*.js)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# Compiled even where PYTHONDONTWRITEBYTECODE is set: the tests start thousands of commands, and each
# would compile what it imports.
setup: $(SITE)  ## make the virtual environment, with everything installed
	$(BIN)/python -m compileall -q src

test: setup  ## run all tests
	$(BIN)/pytest -n 2 --dist worksteal

properties: setup  ## try the property tests with ten times as many examples (EFFORT=10)
	EFFORT=$(or $(EFFORT),10) $(BIN)/pytest -n 2 --dist worksteal -m hypothesis --timeout 7200

test-places: setup  ## try all cases at all places: ssh, Slurm, Ray
	PYCURRENT_PLACES=all $(BIN)/pytest -n 2 --dist worksteal tests/places

test-pythons: $(SITE)  ## run the fast tests on each other Python of this machine
	VENV=$(VENV) .ci/test-pythons

lint: $(STAMP)  ## ruff, mypy (strict), and our English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/python -m tools.prose

# A clone with its own identity, so that anybody can commit to it.
demo/repo:
	git clone --quiet --config user.name=demo --config user.email=demo@localhost . $@

demo: $(STAMP) | demo/repo  ## keep a clone of this repository tested (ONCE=1: once)
	@echo "Commit something in ./demo/repo: git -C demo/repo commit --allow-empty -m Try"
	@echo "Only that commit is tested, at once. Open the address printed below to watch; stop with Ctrl-C."
	@PATH="$(abspath $(BIN)):$$PATH" python examples/local_ci.py \
		--repo demo/repo --out demo/out --state-dir demo/state $(if $(ONCE),--once)

pictures: $(STAMP)  ## draw the pictures of the docs (needs Graphviz)
	PATH="$(abspath $(BIN)):$$PATH" python docs/pictures/draw.py

bench: $(STAMP)  ## run the benchmarks, beside other tools; prints a table, writes bench.json
	$(BIN)/python -m benchmarks.run $(BENCH)

# A third of the time goes to misuse, the rest to killing engines; with QUEUE=2000 as many more jobs
# wait in the queue of a pool.
campaign: $(STAMP)  ## misuse and kill engines for a while, and check every promise (SECONDS=60, SEED=1)
	$(BIN)/python tests/campaigns/misuse.py --seconds $$(($(SECONDS) / 3)) $(if $(SEED),--seed $(SEED))
	$(BIN)/python tests/campaigns/kills.py --seconds $$(($(SECONDS) - $(SECONDS) / 3)) \
		$(if $(SEED),--seed $(SEED)) $(if $(QUEUE),--queue $(QUEUE))

# Of 50 durable jobs, which takes some eight minutes; AT=ssh for a host that is this machine.
campaign-durable: $(STAMP)  ## kill and upgrade engines whose durable jobs go on (KILLS=200, UPGRADES=20, SEED=1, AT=ssh)
	$(BIN)/python tests/campaigns/durable_kills.py --jobs $(or $(JOBS),50) --kills $(or $(KILLS),200) \
		--upgrades $(or $(UPGRADES),20) $(if $(SEED),--seed $(SEED)) $(if $(AT),--at $(AT))

screenshots: $(STAMP)  ## take the pictures of the dashboard (needs Chromium and pngquant)
	LOGNAME=ada $(BIN)/python docs/pictures/screenshots.py

house: $(STAMP)  ## measure the source, beside an earlier commit (BEFORE=v0.1.0)
	$(BIN)/python -m tools.house $(if $(BEFORE),--before $(BEFORE))

release: $(SITE)  ## build a release and try it out on each Python; publishes nothing
	$(BIN)/python -m tools.release

lock:  ## update the locked versions (names and versions only)
	@$(NEEDS_PYTHON)
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-lock/bin/pip install --quiet --group dev --group bench .
	$(VENV)-lock/bin/pip freeze --exclude pycurrent > $(LOCK)
	rm -rf $(VENV)-lock

clean:  ## remove everything that make made
	rm -rf $(VENV) $(VENV)-3.* demo dist bench.json .mypy_cache .ruff_cache .pytest_cache
