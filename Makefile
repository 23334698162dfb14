# `make demo` shows it, `make test` proves it. Both need Python >= 3.11, git, make and a package index.

PYTHON ?= python3
PATIENTS ?= 40
# More than there are cores, usually: a load waits for the disk and for the search to catch up.
WORKERS ?= 4

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
AIRFLOW := .venv-airflow
OURS := tap-cliniko transforms target-highlevel console
MANIFESTS := $(addsuffix /pyproject.toml,$(OURS))
# The warehouse targets are left out: Meltano installs each when it is first run.
PLUGINS := tap-cliniko cliniko-highlevel-mapper target-highlevel console

# The group of pyproject.toml that set-up installs: `run` is enough to move a clinic.
DEPENDENCIES ?= dev

# Tests by what they need: conftest.py marks them.
QUICK := not soak and not process and not browser and not guide and not airflow
SLOW := not soak and not airflow and (process or browser or guide)
TESTS ?= not soak and not airflow

# What writes to HighLevel, without what only plans a write.
WRITE_PATH := --include='*/engine/*,*/desired.py,*/recovery/*,*/preflight/*,*/objects/*,*/fields/*,*/crashpoints.py,*/ledger/[bipr]*.py,*/ledger/lookup.py,*/ledger/work.py' \
  --omit='*/preflight/workflows.py,*/ledger/purge.py,*/ledger/repair.py'

# What takes things out of HighLevel again.
UNDO_PATH := --include='*/rollback/*,*/ledger/undo.py'

# Nothing but the package index is asked: no interpreter is downloaded, nobody is told about the run.
export UV_PYTHON_DOWNLOADS := never
export MELTANO_SEND_ANONYMOUS_USAGE_STATS := false
# Also what only builds our packages is pinned.
export UV_BUILD_CONSTRAINT := constraints.txt

# Hundreds of processes are started: without its bytecode kept, each would compile all of Meltano or SQLAlchemy anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup tidy demo console clinics orchestrate-setup orchestrate-test check test test-slow coverage soak bench lint format build docs constraints clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: $(VENV)/.installed .meltano/.installed tidy ## install everything; quick when nothing changed

$(BIN)/uv: | constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt

$(VENV)/.installed: $(BIN)/uv pyproject.toml constraints.txt $(MANIFESTS)
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --group pyproject.toml:$(DEPENDENCIES) \
	  --editable ./tap-cliniko --editable ./transforms --editable './target-highlevel[otel,postgres]' \
	  --editable ./console
	touch $@

.meltano/.installed: meltano.yml constraints.txt $(MANIFESTS) | $(VENV)/.installed
	mkdir -p -m 700 .meltano
	$(BIN)/meltano --log-level=warning install $(PLUGINS)
	touch $@

tidy: $(VENV)/.installed ## close data/ and .meltano/ to others, remove secrets a killed run left
	@$(BIN)/python scripts/tidy.py

demo: setup ## a synthetic clinic moves from a local Cliniko into a local HighLevel (PATIENTS=40)
	$(BIN)/python scripts/demo.py --patients $(PATIENTS)

check: lint ## before a commit: lint, types and the tests that need no process, in under two minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "$(QUICK)"

console: setup ## the console on a made-up clinic, until Ctrl-C (PATIENTS=40)
	$(BIN)/python scripts/console.py --patients $(PATIENTS)

clinics: setup ## check orchestrate/clinics.yml: everything that is wrong with it, at once
	PYTHONPATH=orchestrate $(BIN)/python -m many_clinics check

# In an environment of its own: Airflow pins what the project pins otherwise.
$(AIRFLOW)/.installed: $(BIN)/uv orchestrate/constraints.txt orchestrate/requirements.in
	test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv --without-pip $(AIRFLOW)
	$(UV) pip install --quiet --python $(AIRFLOW)/bin/python --constraint orchestrate/constraints.txt --requirements orchestrate/requirements.in
	touch $@

orchestrate-setup: setup $(AIRFLOW)/.installed ## install Airflow into .venv-airflow

orchestrate-test: orchestrate-setup ## three clinics in a real Airflow on a real PostgreSQL
	$(BIN)/python -m pytest -m airflow orchestrate/tests

test: setup ## every test but the long ones, in under 20 minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "$(TESTS)"

test-slow: ## the tests that `make check` leaves out
	$(MAKE) test TESTS="$(SLOW)"

coverage: setup ## the branches of what writes to HighLevel, all of which a test must take
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadgroup -m "not soak" target-highlevel/tests
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report $(WRITE_PATH) --fail-under=100
	$(BIN)/python -m coverage report $(UNDO_PATH) --fail-under=100

soak: orchestrate-setup ## the full figures; takes hours
	$(BIN)/python scripts/soak.py all --write
	$(BIN)/python -m pytest -m soak --timeout 0
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile soak --timeout 0 -n $(WORKERS)
	$(BIN)/python scripts/mutation.py --write docs/mutation.md

bench: setup ## measurements
	$(BIN)/python scripts/bench.py $(BENCH)

lint: setup ## style, layers and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=. $(BIN)/lint-imports --no-logo
	for part in $(OURS) orchestrate sandbox scripts tests conftest.py; do $(BIN)/mypy $$part || exit 1; done

format: setup ## let ruff write what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: $(BIN)/uv ## what each package is released as, into dist/
	for package in $(OURS); do $(UV) build --quiet --python $(BIN)/python $$package --out-dir dist || exit 1; done

docs: setup ## write anew what the documentation takes from the code
	$(BIN)/python scripts/gen_docs.py
	$(BIN)/python scripts/gen_hub.py
	$(BIN)/python scripts/gen_objects.py
	$(BIN)/tap-cliniko-tools document --folder tap-cliniko
	$(BIN)/python -m cliniko_to_highlevel.document docs/mapping.md
	$(BIN)/python scripts/gen_patients.py
	$(BIN)/python -m target_highlevel.report.reject_codes docs/reject-codes.md
	$(BIN)/python -m target_highlevel.assumptions.document docs/assumptions.md

constraints: $(BIN)/uv ## resolve the pinned versions anew
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --generate-hashes \
	  --upgrade --extra otel --extra postgres --group pyproject.toml:dev --group pyproject.toml:build $(MANIFESTS) \
	  --no-emit-package target-highlevel --no-emit-package cliniko-to-highlevel --output-file constraints.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --generate-hashes \
	  --upgrade orchestrate/requirements.in --output-file orchestrate/constraints.txt

# The bookmarks of the runs so far are in .meltano/meltano.db: without them the next run reads everything again.
clean: ## remove what set-up and checks made; data/ and Meltano's bookmarks stay
	test ! -d .meltano || find .meltano -mindepth 1 -maxdepth 1 ! -name 'meltano.db*' -exec rm -rf {} +
	rm -rf $(VENV) $(AIRFLOW) dist .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
