.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)-tools
# What is made for developing serves for running too.
INSTALLED := $(firstword $(wildcard $(READY)) $(VENV)/.installed)
# Many tests wait for processes of their own, so a few more than cores would do; two fit the smallest machine.
TEST_PROCESSES ?= 2

.PHONY: help
help: ## Show what make can do here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

# The virtual environment is made again only when its lock or the packaging changes. $(1): the lock.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
$(PYTHON) -m venv --clear $(VENV)
$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
@touch $@
endef

$(VENV)/.installed: requirements.lock pyproject.toml setup.py
	$(call environment,requirements.lock)

$(READY): requirements-dev.lock pyproject.toml setup.py
	$(call environment,requirements-dev.lock)

# Client libraries have environments of their own; the stamp is missing while some could not be installed.
CLIENTS := tests/clients/.venv/.ready
$(CLIENTS): $(READY) tests/clients/requirements.lock tests/clients/package-lock.json
	$(BIN)/python -m tests.clients.libraries

.PHONY: install
install: $(INSTALLED) ## Make the virtual environment with what the service runs on, and no more

.PHONY: demo
demo: $(INSTALLED) ## Run the service, a simulated WeChat and a demo page; no account needed
	$(BIN)/wechat-openid demo

.PHONY: test
test: $(READY) $(CLIENTS) ## Run every test
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

.PHONY: test-clusters
test-clusters: $(READY) ## Try engines of several servers: Galera, standbys, Sentinel (ONLY=quick: minutes)
	$(BIN)/python -m tests.clusters.table $(if $(ONLY),--only $(ONLY)) $(ARGS)

.PHONY: test-image
test-image: $(READY) ## Build the container image by buildah on Debian, and run it (as root; minutes)
	$(BIN)/python -m pytest tests/packaging -m image

.PHONY: reliability
reliability: $(READY) ## Count what faults of stores cost visitors, into docs/reliability*.md (minutes)
	$(BIN)/python -m tests.reliability.table --write $(ARGS)

.PHONY: soak
soak: $(READY) ## Load the service for MINUTES=30, while its memory, descriptors and threads must not grow
	$(BIN)/python -m tests.reliability.soak --minutes $(or $(MINUTES),30) $(ARGS)

.PHONY: test-large
test-large: $(READY) ## Rotate the keys of a million rows on each database (over an hour)
	TEST_ROTATION_ROWS=1000000 $(BIN)/python -m pytest tests/service/commands/test_keys_rotate.py -k killed

.PHONY: contract
contract: $(READY) ## Try every token store with the same tests, and show which passes what
	$(BIN)/python -m tests.contract_table

.PHONY: attacks
attacks: $(READY) ## List what tests try against the service, into SECURITY.md
	$(BIN)/python -m tests.attack_table --write

.PHONY: fuzz
fuzz: $(READY) ## Send 10,000 hostile requests to each listener, on SQLite and on PostgreSQL
	TEST_FUZZ_REQUESTS=10000 $(BIN)/python -m pytest tests/service/http/test_fuzzed_requests.py -q -rP

.PHONY: clients
clients: $(CLIENTS) ## Run client libraries against the simulator, into docs/simulator*.md
	$(BIN)/python -m tests.clients.table --write

.PHONY: bench
bench: $(READY) ## Measure exchanges beside other stacks, into docs/performance.md
	$(BIN)/python -m tests.bench.exchanges --write
	$(BIN)/python -m tests.bench.latency --write
	$(BIN)/python -m tests.bench.refreshes --write
	$(BIN)/python -m tests.bench.workers --write

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

# What makes and reads the locks has an environment of its own, so that its needs do not end up among ours.
$(TOOLS)/.ready: .ci/tools.lock
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/tools.lock
	@touch $@

# For every platform, by hash, and without the address of the registry that this machine uses.
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
INPUT := --all-extras pyproject.toml

.PHONY: lock
lock: $(TOOLS)/.ready ## Write the locks anew from pyproject.toml (UPGRADE=--upgrade takes the newest versions)
	$(COMPILE) $(UPGRADE) $(INPUT) --group build --output-file requirements.lock
	$(COMPILE) $(UPGRADE) $(INPUT) --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(COMPILE) $(UPGRADE) --group tools --output-file .ci/tools.lock
	$(COMPILE) $(UPGRADE) tests/clients/requirements.in --output-file tests/clients/requirements.lock

.PHONY: clients-lock
clients-lock: ## Write the lock of the client libraries of Node.js anew from their package.json
	npm install --package-lock-only --omit-lockfile-registry-resolved --prefix tests/clients

# The last lock is of the oldest versions that pyproject.toml admits. What cannot be looked up fails (--strict).
.PHONY: audit
audit: $(TOOLS)/.ready ## Look up the known faults of every locked package, and of the oldest ones admitted
	@mkdir -p build
	$(COMPILE) --resolution lowest-direct $(INPUT) --group build --output-file build/oldest.lock
	for lock in requirements.lock requirements-dev.lock .ci/tools.lock build/oldest.lock; do \
		$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

.PHONY: sbom
sbom: $(TOOLS)/.ready ## List the components of a production install, in CycloneDX, as dist/sbom.json
	@mkdir -p dist
	$(PYTHON) -m venv --clear --without-pip build/production
	$(TOOLS)/bin/uv pip install --quiet --python build/production --require-hashes -r requirements.lock
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.json build/production

# What an earlier build left in build/lib would end up in the wheel.
.PHONY: wheel
wheel: $(READY) ## Build the wheel into dist/, the same bytes for the same commit
	rm -rf build/lib build/bdist.*
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: clean
clean: ## Remove what make made (not the data in var/)
	rm -rf $(VENV) $(TOOLS) tests/clients/.venv tests/clients/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
