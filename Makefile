# `make demo` and `make test` do all the set-up they need: Python, Rust, make and a C compiler are
# enough. Everything lands in .venv and rust/target.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
UV := $(shell command -v uv 2>/dev/null)
PYTHON ?= python3
# Tests wait for disks and processes: one worker more than there are cores, up to four.
WORKERS := $(shell cores=$$(nproc); echo $$((cores < 4 ? cores + 1 : 4)))
# They sync thousands of small files: in memory, where that has room for them.
SCRATCH := $(shell free=$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1); \
    [ -w /dev/shm ] && [ "$$free" -gt 2000000 ] && echo /dev/shm || echo "$${TMPDIR:-/tmp}")
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.PHONY: all build demo test lint format proto docs bench study aarch64 avx512 deny clean help

all: lint test docs deny ## everything that must be green

build: $(STAMP)/core ## the environment and the core

demo: build ## two nodes on loopback: count, then match, on a made-up twin of both files
	$(BIN)/python examples/joint_match.py $(DEMO)

test: build ## all tests, and the linters of Python
	cd rust && cargo test --locked --release --lib
	cd rust && PSI_CORE_PORTABLE=1 cargo test --locked --release --lib
	TMPDIR=$(SCRATCH) $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

lint: build ## formatters, linters, types, import contracts, generated code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest psi._core --mypy-config-file pyproject.toml
	cd rust && cargo fmt --check
	cd rust && cargo clippy --locked --release --all-targets -- -D warnings
	cd rust && cargo clippy --locked --release --all-targets --features python -- -D warnings
	cd rust && cargo clippy --locked --release --lib --features portable -- -D warnings
	$(BIN)/python scripts/wire_is_current.py

format: build ## rewrites the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd rust && cargo fmt

proto: build ## makes the wire code anew from proto/
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. \
	    proto/psi/wire/v1/messages.proto proto/parties/wire/v1/job.proto \
	    proto/parties/wire/v1/clue.proto
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. --grpc_python_out=. \
	    proto/parties/wire/v1/node.proto

docs: build ## the site, into site/
	$(BIN)/mkdocs build --strict --quiet

bench: build ## figures as JSON; see docs/benchmarks.md
	cd rust && cargo bench --locked --bench expansion --bench curve25519
	$(BIN)/python tests/performance/bench_identifiers.py
	$(BIN)/python tests/performance/bench_sources.py
	$(BIN)/python tests/performance/bench_match.py
	$(BIN)/python tests/performance/bench_inquiries.py --records 1048576
	$(BIN)/python tests/performance/bench_audit.py
	$(BIN)/python tests/performance/bench_checks.py
	$(BIN)/python tests/performance/bench_mining.py
	$(BIN)/python tests/performance/bench_pipeline.py
	$(BIN)/greenlane bench --protocol dh --receiver 65536 --sender 65536 --threads 1 --in-memory --json
	$(BIN)/greenlane bench --protocol dh --receiver 65536 --sender 65536 --threads 1 --json

study: build ## slow proofs: a million rows, every role, caller and format
	$(BIN)/pytest -m study --timeout 14400 -s

aarch64: ## compiles the core and its tests for 64-bit ARM: rustup target add aarch64-unknown-linux-gnu
	cd rust && cargo check --locked --all-targets --target aarch64-unknown-linux-gnu
	cd rust && cargo check --locked --all-targets --target aarch64-unknown-linux-gnu --features portable
	cd rust && cargo check --locked --all-targets --target aarch64-unknown-linux-gnu --features python

avx512: ## tests of the fast twins on an emulated processor with AVX-512; on Debian, as root
	scripts/avx512

deny: ## licences and sources of what Cargo.lock names
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cd rust && cargo deny --offline check licenses bans sources

clean: ## removes what was built
	rm -rf $(VENV) rust/target site demo

help: ## this list
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# The environment: from the lock file, by uv where there is one.
$(STAMP)/env: requirements.lock
	bash scripts/need $(PYTHON)
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --require-hashes -r requirements.lock
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
endif
	mkdir -p $(STAMP) && touch $@

# The core: an editable install, so that only Rust needs to be built again.
$(STAMP)/core: $(STAMP)/env rust/Cargo.toml rust/Cargo.lock pyproject.toml $(shell find rust/src -name '*.rs')
ifdef UV
	$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	touch $@
