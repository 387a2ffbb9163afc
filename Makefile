# `make` shows what there is. Everything lives in .venv; nothing is installed outside this folder.
# Written for GNU make 3.81 and later, which is what macOS has.

VENV := .venv
PACKAGES := packages/dtmf-io packages/dtmf-server
BIN := $(VENV)/bin
# `make PYTHON=/path/to/python3.12 …` takes that one; otherwise the newest of these that works.
PYTHON ?=
PYTHONS := python3.13 python3.12 python3.11 python3

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

PIP_INSTALL := $(BIN)/python -m pip install --quiet
# What is installed is what the hashes say; then the two distributions, in place, without fetching anything more.
HASHED := $(BIN)/python requirements/install.py
PROJECT := $(PIP_INSTALL) --no-deps --no-build-isolation $(addprefix --editable ./,$(PACKAGES))

# What the tests print is kept for `make test-proofs`, which reads the figures of the proofs in it.
REPORTS := build/reports
report = --junitxml=$(REPORTS)/$(1).xml -o junit_logging=system-out

# A stamp says that a requirement file is installed; a warm `make run` only compares dates.
RUN := $(VENV)/installed-run
DEV := $(VENV)/installed-dev
BROWSER := $(VENV)/installed-browser

# An interpreter that was removed since (a system upgrade) makes the whole environment anew.
ifneq ($(shell test -x $(BIN)/python && echo works),works)
$(shell rm -f $(VENV)/pyvenv.cfg $(RUN) $(DEV) $(BROWSER))
endif

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-quick test-browser screenshots test-peers test-namespaces test-bitcoin test-proofs lint messages prove bench bench-peers clean
.DELETE_ON_ERROR:

help:
	@echo "make run     start the sandbox, play the story once, and stay up (ARGS='…' goes to examples/story.py)"
	@echo "make demo    the story with every call shown, then stop"
	@echo "make test    lint, then every test that needs nothing but Python (ARGS='-k rent' goes to pytest)"
	@echo "make test-quick   the tests in packages/ on SQLite, without any process of the service: under a minute"
	@echo "make test-bitcoin     deposits on Bitcoin Core (builds it once on Debian as root: 10 minutes)"
	@echo "make test-browser     the website in Chromium, by clicking (installs it on Debian as root)"
	@echo "make test-peers       against other people's software (Node.js, Kannel, jq; installs them on Debian as root)"
	@echo "make test-namespaces  webhooks can't reach inside (root and iproute2 on Linux; installs that on Debian)"
	@echo "make test-proofs      every benchmark and proof still runs, after make test and make test-bitcoin"
	@echo "make lint    ruff and mypy"
	@echo "make messages      the website's texts, for translators, in build/dtmf.pot"
	@echo "make prove   the promises of docs/, put to the proof"
	@echo "make bench   how fast it is on this machine"
	@echo "make bench-peers      how fast it is beside Kannel and Jasmin (installs them on Debian as root)"
	@echo "make setup   .venv with everything for development"
	@echo "make clean   remove .venv, caches and builds; never data/"

run: $(RUN)
	@$(BIN)/python examples/story.py --stay $(ARGS)

demo: $(RUN)
	@$(BIN)/python examples/story.py $(ARGS)

setup: $(DEV)

# Some hundred processes are started, each of which would compile every module anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: lint
	$(BIN)/python -m pytest --quiet --numprocesses=4 --dist=worksteal $(call report,test) $(ARGS)

# The packages' own tests, on SQLite: none starts a process of the service. tests/ has what does, and what crosses packages.
test-quick: export PYTHONDONTWRITEBYTECODE :=
test-quick: $(DEV)
	$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=worksteal packages -m "not postgresql" $(ARGS)

# The deposits' tests once more, on Bitcoin Core: BITCOIND, one in PATH, or one built once and kept in ~/.cache/dtmf.
test-bitcoin: $(DEV)
	bitcoind=$$($(BIN)/python tests/bitcoin/bitcoind.py) && \
	DTMF_TEST_BITCOIND="$$bitcoind" $(BIN)/python -m pytest --quiet $(call report,bitcoin) tests/bitcoin -k core $(ARGS)

test-browser: $(BROWSER)
	$(BIN)/python -m pytest --quiet --numprocesses=2 --dist=worksteal tests/browser $(ARGS)

screenshots: $(BROWSER)
	$(BIN)/python -m pytest --quiet tests/browser/take_screenshots.py $(ARGS)

# The carriers' tests are run once more, npm's `smpp` being the SMSC.
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

# Each benchmark at its smallest size; each proof too, those that are tests by what `make test` and `make test-bitcoin` kept.
test-proofs: $(DEV)
	$(BIN)/python -m benchmarks.bench --smallest
	$(BIN)/python -m proofs --report $(wildcard $(REPORTS)/*.xml)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

messages: $(DEV)
	@mkdir -p build
	$(BIN)/pybabel --quiet extract --mapping-file=pyproject.toml --project=dtmf-server --sort-by-file \
	  --output-file=build/dtmf.pot packages/dtmf-server/src/dtmf_server/web

prove: $(DEV)
	@$(BIN)/python -m proofs $(ARGS)

bench: $(DEV)
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-peers: $(DEV)
	@sh benchmarks/gateways/install.sh
	@$(BIN)/python -m benchmarks.bench --peers $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find packages tests proofs benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements/run.txt $(PACKAGES:=/pyproject.toml) $(VENV)/pyvenv.cfg
	@echo "installing what the service needs into $(VENV) (requirements/run.txt) …"
	@$(HASHED) requirements/run.txt
	@$(PROJECT)
	@touch $@

# What development needs includes what running needs, so this stamps both.
$(DEV): requirements/dev.txt requirements/run.txt $(PACKAGES:=/pyproject.toml) $(VENV)/pyvenv.cfg
	@echo "installing what development needs into $(VENV) (requirements/dev.txt) …"
	@$(HASHED) requirements/dev.txt
	@$(PROJECT)
	@touch $(RUN) $@

# Playwright drives the system's Chromium and downloads none; axe-core comes in a wheel.
$(BROWSER): requirements/browser.txt $(DEV)
	@if [ ! -x /usr/bin/chromium ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-core >/dev/null; \
	fi
	@test -x /usr/bin/chromium || { echo "these tests need /usr/bin/chromium: apt install chromium" >&2; exit 1; }
	@$(HASHED) requirements/browser.txt
	@touch $@

$(VENV)/pyvenv.cfg:
	@found=; for python in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "DTMF needs Python 3.11 or newer; tried: $(if $(PYTHON),$(PYTHON),$(PYTHONS))." >&2; \
	  echo "Install one, or say where it is: make PYTHON=/path/to/python3.12 …" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$found" --version) …"; \
	if ! said=$$("$$found" -m venv --clear $(VENV) 2>&1); then \
	  rm -rf $(VENV); \
	  echo "$$found can't make a virtual environment:" >&2; echo "$$said" >&2; \
	  echo "On Debian and Ubuntu: apt install python3-venv (or python3.12-venv and the like), then make again." >&2; \
	  exit 1; \
	fi
