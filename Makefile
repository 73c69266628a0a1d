.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Many tests wait for processes of their own, so a few more than cores would do; two fit the smallest machine.
TEST_PROCESSES ?= 2

.PHONY: help
help: ## Show what make can do here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The virtual environment is made again only when the lock file or the packaging changes.
$(READY): requirements.lock setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: install
install: $(READY) ## Make the virtual environment with the locked packages

.PHONY: demo
demo: $(READY) ## Run the service, a simulated WeChat and a demo page; no account needed
	$(BIN)/wechat-openid demo

.PHONY: test
test: $(READY) ## Run every test (under ten minutes)
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

.PHONY: test-large
test-large: $(READY) ## Rotate the keys of a million rows on each database (over an hour)
	TEST_ROTATION_ROWS=1000000 $(BIN)/python -m pytest tests/service/commands/test_keys_rotate.py -k killed

.PHONY: contract
contract: $(READY) ## Try every token store with the same tests, and show which passes what
	$(BIN)/python -m tests.contract_table

.PHONY: bench
bench: $(READY) ## Measure exchanges beside other stacks, into docs/performance.md
	$(BIN)/python -m tests.bench.exchanges --write
	$(BIN)/python -m tests.bench.latency --write
	$(BIN)/python -m tests.bench.refreshes --write

.PHONY: bench-growth
bench-growth: $(READY) ## Measure exchanges over many users (USERS="0 1000000")
	$(BIN)/python -m tests.bench.growth --users $(or $(USERS),0 1000000) --write

.PHONY: guard
guard: $(READY) ## Fail if an exchange has come to cost more (half a minute)
	$(BIN)/python -m tests.bench.guard

.PHONY: bench-stores
bench-stores: $(READY) ## Measure stores that hold a million users, into docs/scaling.md
	$(BIN)/python -m tests.bench.stores --write

.PHONY: bench-dashboard
bench-dashboard: $(READY) ## Measure the dashboard over many users (USERS=1000000)
	$(BIN)/python -m tests.bench.dashboard --users $(or $(USERS),1000000)

.PHONY: screenshots
screenshots: $(READY) ## Take the pictures of the README from the demo
	$(BIN)/python -m tests.browser.screenshots docs/images

.PHONY: lint
lint: $(READY) ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(READY) ## Check the types
	$(BIN)/mypy

.PHONY: check
check: lint types test ## Everything that must hold before a change is proposed

.PHONY: format
format: $(READY) ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

# A lock is made by a tool of its own environment, so that the tool's needs do not end up in the lock.
.PHONY: lock
lock: ## Write requirements.lock anew from setup.py
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet --disable-pip-version-check uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--python-version 3.11 --extra dev --custom-compile-command "make lock" \
		--output-file requirements.lock setup.py
	rm -rf $(VENV)-lock

.PHONY: clean
clean: ## Remove what make made (not the data in var/)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
