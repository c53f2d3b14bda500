# Two commands do everything: `make demo` and `make test`. Both build .venv from the lock files first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
WHAT   ?= tests/linux tests/shim tests/runtime

.PHONY: demo test test-vm lint docs lock bench bench-images packages test-packages clean

demo: $(VENV)/runtime.stamp packages
	$(BIN)/python examples/demo.py

test: $(VENV)/dev.stamp test-packages
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# The runtime on pure cgroup v2. VM: a program that runs a command in a virtual machine which shares this directory.
test-vm: $(VENV)/dev.stamp
	VM_TIMEOUT=5400 $(VM) run 'PYTHONPATH=$(CURDIR):$(CURDIR)/$(wildcard $(VENV)/lib/python3*/site-packages) python3 -m pytest -q --basetemp /tmp/t --timeout 200 $(WHAT)'

bench: $(VENV)/dev.stamp packages
	$(BIN)/python benchmarks/compare.py $(BENCH)

bench-images: $(VENV)/dev.stamp test-packages
	$(BIN)/python benchmarks/images.py $(BENCH)

docs: $(VENV)/dev.stamp
	$(BIN)/zensical build --strict

lock: $(VENV)/dev.stamp
	$(PIP) install uv
	$(BIN)/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  pyproject.toml --group build --group dev -o requirements-dev.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q orchestra
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q orchestra
	touch $@ $(VENV)/runtime.stamp

# What containers need of the system, and what their tests need besides. Only root can install it; anybody else is told.
# docker-registry, skopeo, openssl and mmdebstrap are for tests of images alone, which skip where they are missing.
packages: PROGRAMS := nft ip
packages: PACKAGES := nftables iproute2
test-packages: PROGRAMS := nft ip busybox ps zstd docker-registry skopeo openssl mmdebstrap
test-packages: PACKAGES := nftables iproute2 busybox-static procps zstd docker-registry skopeo openssl mmdebstrap
packages test-packages:
	@if [ "$$(for program in $(PROGRAMS); do command -v $$program; done | wc -l)" = $(words $(PROGRAMS)) ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	else echo "one of these is missing: $(PROGRAMS); install $(PACKAGES)" >&2; fi

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache .hypothesis
