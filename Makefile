# One command each. CI calls `make check` and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?=
NODE := tests/node/node_modules/.package-lock.json

.PHONY: run test check conformance setup node bench soak demo proto requirements format lint imports types clean

## Start an agent on its defaults; everything it needs is installed first.
run: $(VENV)/.ready
	$(BIN)/coral-agent run $(if $(CONFIG),--config $(CONFIG))

## All tests.
test: $(VENV)/.ready
	$(BIN)/pytest

## All that CI runs, cheapest first; a test that lacks its Debian package fails here instead of skipping.
check: $(VENV)/.ready node format lint imports types
	CORAL_CHECK=1 $(BIN)/pytest --cov --cov-report=term:skip-covered

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

format: $(VENV)/.ready
	$(BIN)/ruff format --check .

lint: $(VENV)/.ready
	$(BIN)/ruff check .

imports: $(VENV)/.ready
	$(BIN)/lint-imports

types: $(VENV)/.ready
	$(BIN)/mypy

## The checklist of an OTLP receiver, item by item: what holds, and the reason where it cannot.
conformance: $(VENV)/.ready
	CORAL_CONFORMANCE_MUTANTS=20000 CORAL_CONFORMANCE_EXAMPLES=200 $(BIN)/python -m tests.conformance.report

## The parts and the whole house under load; results go to bench/results/. BENCH="--seconds 5 --spans 0" are options of the latter.
bench: $(VENV)/.ready
	$(BIN)/pytest bench --benchmark-columns=mean,stddev,rounds
	$(BIN)/python -m bench.house $(BENCH)

## Ten minutes at 10,000 spans a second with queries, then fifty kills. SOAK="--seconds 20 --rounds 0" are its options.
soak: $(VENV)/.ready
	$(BIN)/python -m bench.soak $(SOAK)

## An agent, two services that send it telemetry, and what to ask it; until Ctrl-C, or DEMO_SECONDS=20.
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

clean:
	rm -rf $(VENV) tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
