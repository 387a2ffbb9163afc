# `make` lists the targets. Everything is installed in .venv; nothing is installed outside this folder.
# Requires GNU make 3.81, the version on macOS, or later.

VENV := .venv
PACKAGES := packages/dtmf-io packages/dtmf-mcp packages/dtmf-server
BIN := $(VENV)/bin
# `make PYTHON=/path/to/python3.12 …` selects an interpreter. The default is the newest of these that works.
PYTHON ?=
PYTHONS := python3.13 python3.12 python3.11 python3

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

PIP_INSTALL := $(BIN)/python -m pip install --quiet
# Install the locked requirements by their hashes, then the two distributions in place, without further downloads.
HASHED := $(BIN)/python requirements/install.py
PROJECT := $(PIP_INSTALL) --no-deps --no-build-isolation $(addprefix --editable ./,$(PACKAGES))

# The output of the tests is saved for `make test-proofs`, which reads the figures of the proofs from it.
REPORTS := build/reports
report = --junitxml=$(REPORTS)/$(1).xml -o junit_logging=system-out

# `make docs` builds into the package, so that the service and the wheel contain the documentation.
SITE := packages/dtmf-server/src/dtmf_server/site

# A stamp file marks a requirement file as installed, so that a repeated `make run` only compares dates.
RUN := $(VENV)/installed-run
DEV := $(VENV)/installed-dev
BROWSER := $(VENV)/installed-browser

# If the interpreter has been removed, for example by a system upgrade, recreate the environment.
ifneq ($(shell test -x $(BIN)/python && echo works),works)
$(shell rm -f $(VENV)/pyvenv.cfg $(RUN) $(DEV) $(BROWSER))
endif

.DEFAULT_GOAL := help
.PHONY: help setup run demo docs reference dist test test-quick test-browser screenshots test-peers test-namespaces test-bitcoin test-lightning test-deploy test-proofs lint messages prove bench bench-lightning bench-peers clean
.DELETE_ON_ERROR:

help:
	@echo "make run     start a sandbox, run a short example, and keep serving (ARGS='…' is passed to examples/story.py)"
	@echo "make demo    run the example, show every call, and stop"
	@echo "make test    lint, then run every test that only needs Python (ARGS='-k rent' is passed to pytest)"
	@echo "make test-quick   run the tests in packages/ that start no service, on SQLite"
	@echo "make test-bitcoin     test deposits with Bitcoin Core (on Debian, as root, builds it once: 10 minutes)"
	@echo "make test-lightning   test with real Lightning nodes: Electrum, LNbits (on Debian, as root, installs them)"
	@echo "make test-deploy      test the container image, the systemd unit, Caddy and the alerts (on Debian, as root, installs them)"
	@echo "make test-browser     test the website in Chromium (on Debian, as root, installs it)"
	@echo "make test-peers       test with third-party software: Node.js, Kannel, gammu-smsd, jq (on Debian, as root, installs it)"
	@echo "make test-namespaces  test that webhooks can't reach internal networks (Linux, root, iproute2)"
	@echo "make test-proofs      check that every benchmark and proof runs, after make test and make test-bitcoin"
	@echo "make docs    build the documentation, which the service serves at /docs"
	@echo "make reference   generate the pages of docs/reference/ from the code"
	@echo "make dist    build the wheels, with the documentation, in dist/"
	@echo "make lint    run ruff, the prose check and mypy"
	@echo "make messages      extract the website's texts for translators into build/dtmf.pot"
	@echo "make prove   verify the promises made in docs/"
	@echo "make bench   run the benchmarks"
	@echo "make bench-lightning  run the benchmarks of Lightning, also between two Electrum wallets (on Debian, as root, installs them)"
	@echo "make bench-peers      run the benchmarks with Kannel and Jasmin (on Debian, as root, installs them)"
	@echo "make setup   create .venv for development"
	@echo "make clean   remove .venv, caches and builds, but not data/"

run: $(RUN)
	@$(BIN)/python examples/story.py --stay $(ARGS)

demo: $(RUN)
	@$(BIN)/python examples/story.py $(ARGS)

setup: $(DEV)

# Write bytecode: the tests start hundreds of processes, each of which would compile every module again.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint
	$(BIN)/python -m pytest --quiet --numprocesses=4 --dist=worksteal $(call report,test) $(ARGS)

# The tests of the packages that start no service, on SQLite.
test-quick: export PYTHONDONTWRITEBYTECODE :=
test-quick: $(DEV)
	$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=worksteal packages -m "not postgresql and not service" $(ARGS)

# Run the deposit tests on Bitcoin Core: BITCOIND, else bitcoind in PATH, else one built once in ~/.cache/dtmf.
test-bitcoin: $(DEV)
	bitcoind=$$($(BIN)/python tests/bitcoin/bitcoind.py) && \
	DTMF_TEST_BITCOIND="$$bitcoind" $(BIN)/python -m pytest --quiet $(call report,bitcoin) tests/bitcoin -o python_files='test_*.py core_page.py' -k core $(ARGS)

# Two Electrum wallets with a channel on the bitcoind of test-bitcoin, and LNbits: each in ~/.cache/dtmf, except Electrum.
test-lightning: $(DEV)
	bitcoind=$$($(BIN)/python tests/bitcoin/bitcoind.py) && programs=$$($(BIN)/python tests/lightning_nodes/install.py) && \
	env DTMF_TEST_BITCOIND="$$bitcoind" $$programs \
	$(BIN)/python -m pytest --quiet $(call report,lightning) tests/lightning_nodes $(ARGS)

# What is in deploy/: the container image, the systemd unit, Caddy, the alerts.
test-deploy: $(DEV)
	@sh tests/deploy/install.sh
	$(BIN)/python -m pytest --quiet $(call report,deploy) -o python_files='deployed.py one_machine.py' tests/deploy $(ARGS)

test-browser: $(BROWSER)
	$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=worksteal tests/browser $(ARGS)

screenshots: $(BROWSER)
	$(BIN)/python -m pytest --quiet tests/browser/take_screenshots.py $(ARGS)

# Also run the carrier tests with npm's `smpp` as the SMSC.
test-peers: $(DEV)
	@sh tests/peers/install.sh
	DTMF_TEST_SMSC="node tests/peers/smsc.mjs" \
	$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=loadfile tests/peers \
	  $(addprefix tests/smpp/test_,deliver.py health.py kill.py links.py submit.py) $(ARGS)

test-namespaces: $(DEV)
	@if ! command -v ip >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iproute2 >/dev/null; \
	fi
	@$(BIN)/python tests/namespaces/namespace_proof.py

# Run each benchmark at its smallest size, and each proof. Proofs that are tests use the reports of `make test` and
# `make test-bitcoin`.
test-proofs: $(DEV)
	$(BIN)/python -m benchmarks.bench --smallest
	$(BIN)/python -m proofs --report $(wildcard $(REPORTS)/*.xml)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/prose_check.py
	$(BIN)/mypy

docs: $(DEV)
	@rm -rf $(SITE) build/doctrees
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees docs $(SITE)
	@rm -rf $(SITE)/.buildinfo $(SITE)/_sources
	@echo "built $(SITE)/index.html: restart the service and open /docs"

reference: $(DEV)
	@$(BIN)/python tools/reference.py

dist: docs
	@rm -rf dist
	@for package in $(PACKAGES); do (cd $$package && "$(CURDIR)/$(BIN)/python" -m hatchling build -t wheel -d "$(CURDIR)/dist") || exit 1; done
	@$(BIN)/python -m zipfile -l dist/dtmf_server-*.whl | grep dtmf_server/site/index.html

messages: $(DEV)
	@mkdir -p build
	$(BIN)/pybabel --quiet extract --mapping-file=pyproject.toml --project=dtmf-server --sort-by-file \
	  --output-file=build/dtmf.pot packages/dtmf-server/src/dtmf_server/web

prove: $(DEV)
	@$(BIN)/python -m proofs $(ARGS)

bench: $(DEV)
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-lightning: $(DEV)
	@bitcoind=$$($(BIN)/python tests/bitcoin/bitcoind.py) && programs=$$($(BIN)/python tests/lightning_nodes/install.py) && \
	env DTMF_TEST_BITCOIND="$$bitcoind" $$programs $(BIN)/python -m benchmarks.bench lightning $(ARGS)

bench-peers: $(DEV)
	@sh benchmarks/gateways/install.sh
	@$(BIN)/python -m benchmarks.bench --peers $(ARGS)

clean:
	rm -rf $(VENV) $(SITE) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find packages tests proofs benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements/run.txt $(PACKAGES:=/pyproject.toml) $(VENV)/pyvenv.cfg
	@echo "installing the requirements of the service into $(VENV) (requirements/run.txt) …"
	@$(HASHED) requirements/run.txt
	@$(PROJECT)
	@touch $@

# The development requirements include those of the service, so this stamps both.
$(DEV): requirements/dev.txt requirements/docs.txt requirements/run.txt $(PACKAGES:=/pyproject.toml) $(VENV)/pyvenv.cfg
	@echo "installing the development requirements into $(VENV) (requirements/dev.txt) …"
	@$(HASHED) requirements/dev.txt
	@$(HASHED) requirements/docs.txt
	@$(PROJECT)
	@touch $(RUN) $@

# Playwright uses the system's Chromium and downloads none; axe-core comes in a wheel.
$(BROWSER): requirements/browser.txt $(DEV)
	@if [ ! -x /usr/bin/chromium ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-core >/dev/null; \
	fi
	@test -x /usr/bin/chromium || { echo "these tests require /usr/bin/chromium: apt install chromium" >&2; exit 1; }
	@$(HASHED) requirements/browser.txt
	@touch $@

$(VENV)/pyvenv.cfg:
	@found=; for python in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "DTMF requires Python 3.11 or newer; tried: $(if $(PYTHON),$(PYTHON),$(PYTHONS))." >&2; \
	  echo "Install it, or set its path: make PYTHON=/path/to/python3.12 …" >&2; exit 1; \
	fi; \
	echo "creating $(VENV) with $$("$$found" --version) …"; \
	if ! output=$$("$$found" -m venv --clear $(VENV) 2>&1); then \
	  rm -rf $(VENV); \
	  echo "$$found can't create a virtual environment:" >&2; echo "$$output" >&2; \
	  echo "On Debian and Ubuntu: apt install python3-venv (or python3.12-venv and so on), then run make again." >&2; \
	  exit 1; \
	fi
