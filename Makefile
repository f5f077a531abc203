# Needs python3 (3.11 or newer) and make; everything else is fetched by hash into .venv and .tabiji.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PACKAGES := libs/common libs/cli $(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml))
LOCKS := requirements-bootstrap.lock requirements.lock requirements-data.lock
# The interpreter: PYTHON=… if given, else the first of these that is new enough.
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.ready $(VENV)/.jars ## Python packages and Kafka's jars, into .venv and .tabiji (V=1: say more)

.PHONY: run
run: setup ## the demo on the embedded stack (FULL=1: the whole log; ONCE=1: end when it has ended)
	@$(BIN)/tabiji demo $(if $(FULL),--full) $(if $(ONCE),--once)

.PHONY: demo-proof
demo-proof: setup ## the demo three times: plain, slowed down, and with a kill; the tables must agree
	@$(BIN)/pytest tests/e2e/test_demo_proof.py -m long -s

.PHONY: check
check: setup ## format, lint, types, import contracts, unit and architecture tests
	@echo "· format (mended by make fmt)" && $(BIN)/ruff format --check --quiet .
	@echo "· lint" && $(BIN)/ruff check --quiet .
	@echo "· types" && $(BIN)/mypy
	@echo "· import contracts" && $(BIN)/lint-imports
	@echo "· unit and architecture" && $(BIN)/pytest -q tests/unit tests/architecture

.PHONY: test
test: check $(VENV)/.browser ## check, then every suite on the real broker and database
	@echo "· suites on the real stack (two at a time, each with a stack of its own)" && $(BIN)/pytest tests \
		--ignore=tests/unit --ignore=tests/architecture --ignore=tests/bench -m "not long and not bench" -v \
		--durations=15 --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.PHONY: vendor
vendor: setup ## renew what the console has of npm packages, by the hashes of VENDOR.lock (LATEST=1: the newest)
	@$(BIN)/python services/console/vendor.py $(if $(LATEST),--latest)

.PHONY: pictures
pictures: setup $(VENV)/.browser ## take the console's pictures in docs/images anew, of a simulated run
	@$(BIN)/pytest tests/e2e/console -m long -s

.PHONY: faults
faults: setup ## the fault suite, resumable (ROW=17: one row; N=30: runs a row; FRESH=1: anew); writes docs/faults.md
	@ROW="$(ROW)" N="$(N)" FRESH="$(FRESH)" $(BIN)/python -m tests.faults.run

.PHONY: soak
soak: setup ## random faults at the whole system (MINUTES=60 SEED=1), then every checker
	@MINUTES="$(MINUTES)" SEED="$(SEED)" $(BIN)/python -m tests.faults.soak

.PHONY: fuzz
fuzz: setup ## requests made from ingest's OpenAPI document (MINUTES=10 SEED=7): no 5xx, no hang, bounded memory
	@MINUTES="$(MINUTES)" SEED="$(SEED)" $(BIN)/pytest tests/integration/ingest/test_fuzz.py -m long -s

.PHONY: bench
bench: setup ## figures as ratios to a ceiling in the same run, into docs/performance.md (ONLY=ingest, ROUNDS=3, SHAPE=peers)
	@$(BIN)/python -m tests.bench

.PHONY: new-service
new-service: setup ## write a service that reads and writes a topic, and list it everywhere (name=vip)
	@$(BIN)/python -m tabiji_cli.scaffold "$(name)"
	@$(BIN)/ruff check --quiet --select I --fix "services/$(name)" "tests/unit/$(name)"
	@$(BIN)/ruff format --quiet "services/$(name)" "tests/unit/$(name)"
	@if [ -f deploy/grafana/generate.py ]; then $(BIN)/python deploy/grafana/generate.py; fi
	@$(MAKE) docs

.PHONY: remove-service
remove-service: setup ## take a service of yours out again, its folder and every list (name=vip)
	@$(BIN)/python -m tabiji_cli.scaffold --remove "$(name)"
	@if [ -x $(UV) ]; then $(UV) pip uninstall --quiet --python $(BIN)/python "tabiji-$(name)"; fi
	@$(MAKE) docs

.PHONY: docs
docs: setup ## write the reference pages, JSON Schemas and the AsyncAPI document anew from the code
	@$(BIN)/python -m tabiji_cli.docs

.PHONY: fmt
fmt: setup ## write the format, and what lint can mend
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.PHONY: lock
lock: $(VENV)/.uv ## resolve requirements*.in again into the lock files
	@for name in requirements requirements-bootstrap requirements-browser; do \
		$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-header --upgrade $$name.in -o $$name.lock; done
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --no-deps requirements-data.in -o requirements-data.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --constraint requirements.lock requirements-image.in -o requirements-image.lock

.PHONY: clean
clean: ## remove the environment, the caches and the data of the embedded stack
	@rm -rf $(VENV) .tabiji .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find libs services tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The steps of the set-up. Each leaves a stamp, so that a second run costs nothing, and says one line; V=1: all of it.

LOUD := $(filter-out 0,$(V))
QUIET := $(if $(LOUD),,--quiet)
step = printf '· %s … $(if $(LOUD),\n)' "$(1)"; SECONDS=0
done = printf '%s s\n' "$$SECONDS"; touch $@

$(VENV)/.uv: requirements-bootstrap.lock
	@python=; for candidate in $(PYTHONS); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then \
		echo "Tabiji needs Python 3.11 or newer; tried: $(PYTHONS). Name one: make setup PYTHON=…" >&2; exit 1; fi; \
	$(call step,virtual environment of $$("$$python" --version)); \
	"$$python" -m venv --clear $(VENV) || { \
		echo "This Python cannot make virtual environments (on Debian: apt install python3-venv)" >&2; exit 1; }; \
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --no-deps --require-hashes \
		-r requirements-bootstrap.lock; \
	$(done)

$(VENV)/.ready: $(VENV)/.uv $(LOCKS) $(PACKAGES:%=%/pyproject.toml)
	@$(call step,installing packages by hash); \
	$(UV) pip sync $(QUIET) --python $(BIN)/python --require-hashes $(LOCKS); \
	$(UV) pip install $(QUIET) --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e ./%); \
	$(done)

$(VENV)/.browser: $(VENV)/.ready requirements-browser.lock
	@$(call step,installing what drives a browser); \
	$(UV) pip install $(QUIET) --python $(BIN)/python --require-hashes -r requirements-browser.lock; \
	$(done)

$(VENV)/.jars: $(VENV)/.ready deploy/local/jgo.lock.toml libs/cli/tabiji_cli/stack/jars.py
	@$(call step,fetching Apache Kafka); \
	$(BIN)/python -m tabiji_cli.stack.jars; \
	$(done)
