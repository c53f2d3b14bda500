# Two commands do everything: `make demo` and `make test`. Both build .venv from the lock files first, and meanwhile
# install the packages of the system that are missing.
MAKEFLAGS += --jobs=2
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
# On all processors, which pip does not. Packages may hold files that are not for this version of Python.
COMPILE = $(BIN)/python -m compileall -qq -j 0 orchestra $(VENV)/lib || true
WHAT   ?= tests/linux tests/shim tests/oci_cli
TIMES  ?= 20
COUNT  ?= 10000
FIRST  ?= 0
SECONDS ?= 1800
SEED   ?= 1
# Without bytecode every process of a run compiles all that it imports, and what pytest rewrites: that of its plugins, too.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test repeat simulate mutants chaos test-vm lint reference pictures screens recording docs man lock bench bench-images packages test-packages clean

demo: $(VENV)/runtime.stamp packages
	$(BIN)/python examples/demo.py

# Many tests wait, for a timer or another process: twice as many workers as the smallest machine has cores.
test: $(VENV)/dev.stamp test-packages $(VENV)/engines
	$(BIN)/python -m pytest -n 4 --dist loadgroup

# The tests WHAT, TIMES times in a row, while another program keeps one core busy: what passes only on an idle machine fails.
repeat: $(VENV)/dev.stamp test-packages $(VENV)/engines
	@sh -c 'while :; do :; done' & busy=$$!; trap "kill $$busy" EXIT; \
	for run in $$(seq $(TIMES)); do echo "run $$run of $(TIMES)"; $(BIN)/python -m pytest -q $(WHAT) || exit 1; done

# The runtime on pure cgroup v2. VM: a program that runs a command in a virtual machine which shares this directory.
test-vm: $(VENV)/dev.stamp
	VM_TIMEOUT=5400 $(VM) run 'PYTHONPATH=$(CURDIR):$(CURDIR)/$(wildcard $(VENV)/lib/python3*/site-packages) python3 -m pytest -q --basetemp /tmp/t --timeout 200 $(WHAT)'

# 10,000 simulated lives of random stacks in trouble, from seed FIRST on; and broken reconcilers, which such lives have to notice.
simulate: $(VENV)/dev.stamp
	$(BIN)/python -m tests.simulation.many $(COUNT) $(FIRST)

mutants: $(VENV)/dev.stamp
	$(BIN)/python -m tests.simulation.mutants

# Real containers for SECONDS: processes killed, interfaces and rules lost, the disk full. SEED says in which order.
chaos: $(VENV)/dev.stamp packages
	CHAOS_SECONDS=$(SECONDS) CHAOS_SEED=$(SEED) $(BIN)/python -m pytest -q -s tests/chaos

bench: $(VENV)/dev.stamp packages
	$(BIN)/python benchmarks/compare.py $(BENCH)

bench-images: $(VENV)/dev.stamp test-packages
	$(BIN)/python benchmarks/images.py $(BENCH)

# The generated parts of docs/reference, from the command table, the models and whatever else knows.
reference: $(VENV)/dev.stamp
	$(BIN)/python -m tools.reference

# The drawings of the documentation.
pictures: $(VENV)/dev.stamp
	$(BIN)/python -m tools.pictures

# The terminal block of README.md and the picture of the dashboard, recorded anew.
recording: $(VENV)/dev.stamp packages
	$(BIN)/python -m tools.recording
	$(BIN)/python -m tools.dashboard

docs: $(VENV)/dev.stamp
	$(BIN)/zensical build --strict

# The pictures of the page in the browser, from a stack that runs. They need root, Chromium and busybox.
screens: $(VENV)/dev.stamp test-packages
	$(BIN)/python -m tools.screens

man: $(VENV)/runtime.stamp
	$(BIN)/python -m tools.manual build/man

lock: $(VENV)/dev.stamp
	$(PIP) install uv
	$(BIN)/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --upgrade --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  pyproject.toml --all-extras --group build --group dev -o requirements-dev.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) uninstall --yes setuptools # every interpreter, and so every command of a test, would begin with its .pth file

$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --no-compile --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(COMPILE)
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --no-compile --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(COMPILE)
	touch $@ $(VENV)/runtime.stamp

# PROGRAM=PACKAGE: what containers need of the system, and what their tests use or compare with. Root installs the packages of
# the programs that are missing, as far as the distribution has them; other users are told. Nothing is ever removed for them.
PACKAGES := nft=nftables ip=iproute2
TEST_PACKAGES := $(PACKAGES) busybox=busybox-static ps=procps zstd=zstd strace=strace docker-registry=docker-registry skopeo=skopeo \
  openssl=openssl mmdebstrap=mmdebstrap crun=crun runc=runc newuidmap=uidmap pasta=passt slirp4netns=slirp4netns podman=podman \
  buildah=buildah man=man-db mandoc=mandoc zsh=zsh fish=fish \
  sshd=openssh-server chromium=chromium chromedriver=chromium-driver tmux=tmux
packages: WANTED := $(PACKAGES)
test-packages: WANTED := $(TEST_PACKAGES)
packages test-packages:
	@PATH="$$PATH:/usr/sbin:/sbin"; lacking=; \
	for each in $(WANTED); do command -v "$${each%%=*}" >/dev/null || lacking="$$lacking $${each#*=}"; done; \
	if [ -z "$$lacking" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && \
	  available="$$(apt-cache show --no-all-versions $$lacking 2>/dev/null | sed -n 's/^Package: //p')" && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove $$available >/dev/null; \
	else echo "not installed:$$lacking" >&2; fi

# Docker's engine, whose tests run it in namespaces of their own. It is unpacked, not installed: its service would change the
# machine's firewall. Without it its tests skip, so this never fails.
$(VENV)/engines: | $(VENV)/bin/python test-packages
	@mkdir -p $@/archives/partial; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v dockerd >/dev/null; then \
	  apt-get update -qq; \
	  apt-get install -y -qq --download-only --no-install-recommends -o Dir::Cache::archives=$(CURDIR)/$@/archives docker.io >/dev/null && \
	  for package in $@/archives/*.deb; do dpkg-deb -x $$package $@; done; \
	fi; rm -rf $@/archives

clean:
	rm -rf $(VENV) site build .mypy_cache .ruff_cache .hypothesis
