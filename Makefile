# joed's targets. Everything runs from .venv, which is made from requirements.lock by its hashes.
PYTHON ?= python3
ARGS   ?=
SEEDS  ?= 200
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
UV     := 0.13.9
AGE    := 7 days

.DEFAULT_GOAL := help
.PHONY: help venv demo test check bench sim crashes kill9 intents worlds faults days fmt lock clean table joectl-book ib-async

help:  ## say what each target does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: .venv/.installed  ## make .venv from requirements.lock, each file by its hash

demo: .venv/.installed  ## watch a trading day on the embedded market (ARGS="--speed max --seed 7")
	@$(BIN)/joed --demo $(ARGS)

test: .venv/.installed  ## run all tests, then 50 seeds of the simulated world (ARGS go to pytest)
	$(BIN)/python -m pytest $(ARGS)
	$(BIN)/joed --simulate 50

check: .venv/.installed  ## format, lint, types, layers and tidiness; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/test_tidy.py

bench: .venv/.installed  ## measure every budget beside its floor (build/bench.json)
	$(BIN)/python -m tests.bench $(ARGS)

sim: .venv/.installed  ## run SEEDS seeds of the simulated world (SEEDS=200)
	$(BIN)/joed --simulate $(SEEDS) $(ARGS)

crashes: .venv/.installed  ## let the power go at every numbered point of fifteen small worlds, and at every second one
	$(BIN)/python -m tests.long.crashes $(ARGS)

both: .venv/.installed  ## play seeded worlds with both real adapters in them, one failing while the other trades (SEEDS=30)
	$(BIN)/python -m tests.sim.both_stage $$(seq 1 $(SEEDS))

table: .venv/.installed  ## write the fault table of docs/failure-handbook.md (ARGS=--take: with what tests measured; --measure: with the world's too)
	$(BIN)/python -m tests.fault_table $(ARGS)

joectl-book: .venv/.installed  ## write docs/joectl.md from the code
	$(BIN)/python -m tests.joectl_book

.PHONY: metrics-book
metrics-book: .venv/.installed  ## write docs/metrics.md from the code
	$(BIN)/python -m tests.metrics_book

.PHONY: grafana
grafana: .venv/.installed  ## write the dashboards in packaging/grafana
	$(BIN)/python packaging/grafana/make_grafana.py

kill9: .venv/.installed  ## kill -9 joed 50 times within a session whose exchange lives on, and compare all books
	$(BIN)/python -m tests.long.kill9 $(ARGS)

intents: .venv/.installed  ## trade a whole real day over TCP, 30 times as fast, and compare it with its backtest
	$(BIN)/python -m tests.long.intents $(ARGS)

worlds: .venv/.installed  ## the seeded world with the real adapter before a TWS (ARGS="--to 100 --library ib_async")
	$(BIN)/python -m tests.long.worlds $(ARGS)

faults: .venv/.installed  ## the fault tests at full length and those of the attacks, their times into build/faults.json
	JOED_FAULTS=1 JOED_BLOCK_S=20 JOED_EVENTS=5000000 $(BIN)/python -m pytest -s tests/faults $(ARGS)
	JOED_FAULTS=1 $(BIN)/python -m pytest -s $$($(BIN)/python -m tests.fault_table --attacks) $(ARGS)

days: .venv/.installed  ## play the demo's day for seeds 1 to 50 and count what was won and lost
	$(BIN)/python -m tests.long.seeds $(ARGS)

.PHONY: deb
deb: .venv/.installed  ## make the Debian package, dist/joed_VERSION_ARCH.deb (for the Python of this system)
	$(BIN)/python packaging/deb/make_deb.py $(ARGS)

fmt: .venv/.installed  ## format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## resolve pyproject.toml again into requirements.lock, leaving out what was published within a week
	@$(need_python)
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV)
	build/lock/bin/uv pip compile pyproject.toml --extra data --group dev --universal --python-version 3.11 \
	    --fork-strategy fewest --generate-hashes --upgrade --quiet --no-config --exclude-newer '$(AGE)' \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --output-file requirements.lock
	echo 'ib_async>=2.0' | build/lock/bin/uv pip compile - --universal --python-version 3.11 \
	    --fork-strategy fewest --generate-hashes --upgrade --quiet --no-config --exclude-newer '$(AGE)' --no-emit-package numpy \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	    --output-file requirements-ib-async.lock
	rm -rf build/lock

ib-async: build/ib-async/.installed  ## make build/ib-async: .venv again, with ib_async and the eventkit that it needs

# ib_async's aeventkit installs over ib_insync's eventkit. So it has a site of its own, which goes on to .venv's.
build/ib-async/.installed: requirements-ib-async.lock .venv/.installed
	@rm -rf build/ib-async
	@$(BIN)/python -m venv build/ib-async
	@build/ib-async/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes --no-deps \
	    -r requirements-ib-async.lock
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	    > "$$(build/ib-async/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/venv.pth"
	@touch $@

clean:  ## remove what the targets made, .venv too; never a state directory
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find joed joectl tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian splits venv and its pip from python3, so both are asked for by name before anything is made.
define need_python
command -v $(PYTHON) >/dev/null || { echo 'make: $(PYTHON) not found: on Debian or Ubuntu, apt install python3 python3-venv' >&2; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
    { echo "make: joed needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d' ' -f2); name another: make PYTHON=python3.12" >&2; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
    { echo "make: $(PYTHON) cannot make a virtual environment: on Debian or Ubuntu, apt install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; }
endef

.venv/.locked: requirements.lock
	@$(need_python)
	@echo 'making .venv from requirements.lock (about a minute, once)'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(PIP) install --quiet --require-hashes --no-deps --use-pep517 -r requirements.lock
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: planted mutants cover
planted: .venv/.installed  ## plant each known bug and have the simulated world find it (within 500 seeds each)
	$(BIN)/python -m tests.planted $(ARGS)

mutants: .venv/.installed  ## change what decides about money, one small thing at a time, and count what no test notices
	$(BIN)/python -m tests.long.mutants $(ARGS)

MONEY_PATH := engine.orders engine.life engine.risk engine.protection engine.reconcile daemon.carry_out daemon.journal
cover: .venv/.installed  ## hold every branch of the money path to a test near it: 100 percent or it fails (as root: it fills a small disk)
	$(BIN)/python -m pytest -q -p no:cacheprovider --cov-branch --cov-report=term-missing --cov-fail-under=100 \
	    $(MONEY_PATH:%=--cov=joed.%) tests/engine tests/daemon/test_carry_out.py \
	    tests/daemon/test_journal.py tests/daemon/test_journal_failures.py

.PHONY: regime
regime: .venv/.installed  ## measure the regime's committed thresholds on the S&P 500 and VIX, 1999 to 2026
	$(BIN)/python -m tests.long.regime
