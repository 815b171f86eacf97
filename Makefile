# `make help` lists everything. Needs Python 3.11 or newer; the rest is installed here.
PYTHON ?= python3
BIN := .venv/bin
N ?= 10
# Those that kill come when the machine has less to do, and one that looks at the clock when it has nothing else to do.
KILLED := tests/journey/test_killed.py
CHAOS := tests/chaos/test_chaos.py
ENDED := tests/journey/test_ended.py
CALM := tests/test_redis_away.py
# Slow proofs whose short versions are tests/test_backup.py and tests/test_deadlines.py.
PROOFS := tests/journey/test_restored.py tests/journey/test_full_disk.py
LAST := $(KILLED) $(CHAOS) $(ENDED) $(CALM)
# These go with the offline tests, so that the three parts are about equally long.
ASIDE := tests/races tests/test_state_machine.py tests/test_hostile.py tests/journey/test_emptied.py
.DEFAULT_GOAL := help
.PHONY: help setup run tunnel test test-journeys test-offline test-rest test-killed test-chaos lint bench audit fuzz schedules chaos kills proofs backup restore dead-letters scan stubs translations pictures token tokens
.SILENT:

help: ## this list
	grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "TicketBuster needs Python 3.11 or newer, and this is %d.%d: call `make PYTHON=python3.12 …`." % sys.version_info[:2])'
	echo "installing what requirements.txt names into .venv (a minute, once) …"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	echo "installing what requirements-dev.txt names into .venv …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
	touch $@

setup: .venv/installed ## install and prepare everything; then `honcho start -p 8000` runs it
	$(BIN)/python -m pipeline.prepare

run: .venv/installed ## prepare and start everything on PORT (8000)
	exec $(BIN)/python -m pipeline.prepare run

tunnel: .venv/installed ## the same on a public address, by cloudflared: a new one, or TUNNEL=name PUBLIC_URL=https://…
	exec $(BIN)/python -m tunnel

test: .venv/installed-dev ## every test, with real servers and a real browser
	$(BIN)/python -m tests.browser
	$(BIN)/python -m web.offline_build
	$(MAKE) -j 3 test-journeys test-offline test-rest
	$(MAKE) -j 2 test-killed test-chaos
	$(BIN)/python -m pytest -q $(CALM)

# Three parts of about the same length, side by side: most of a journey is waiting.
test-journeys: .venv/installed-dev
	$(BIN)/python -m pytest -q tests/journey --ignore=tests/journey/offline $(patsubst %,--ignore=%,$(LAST) $(ASIDE) $(PROOFS))

test-offline: .venv/installed-dev
	$(BIN)/python -m pytest -q tests/journey/offline
	$(BIN)/python -m pytest -q $(ASIDE)

test-rest: lint
	$(BIN)/python -m pytest -q tests --ignore=tests/journey $(patsubst %,--ignore=%,$(LAST) $(ASIDE))

test-killed: .venv/installed-dev
	$(BIN)/python -m pytest -q $(KILLED) $(ENDED)

test-chaos: .venv/installed-dev
	$(BIN)/python -m pytest -q $(CHAOS)

proofs: .venv/installed-dev ## what takes longer: a destroyed system is restored, a disk is full
	$(BIN)/python -m pytest -q $(PROOFS)

lint: .venv/installed-dev ## ruff, bandit and mypy
	$(BIN)/ruff check .
	$(BIN)/bandit -q -c pyproject.toml -r web pipeline sql tunnel
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed-dev ## measure orders, live maps and the best seats; `make bench PARTS=maps` some of it
	$(BIN)/python -m tests.bench $(PARTS)

audit: .venv/installed-dev ## the pages as Lighthouse, axe and a slow phone see them
	$(BIN)/python -m tests.browser
	$(BIN)/python -m tests.audit

fuzz: .venv/installed-dev ## thousands of requests, right and wrong, against the API's own document
	$(BIN)/python -m tests.fuzz $(EXAMPLES) $(SEED)

chaos: .venv/installed-dev ## random buyers and faults: SEEDS (100: an hour) from SEED (1), SECONDS (20) each; WITHOUT=guard
	$(BIN)/python -m web.offline_build
	$(BIN)/python -m tests.chaos $(or $(SEEDS),100) $(or $(SEED),1) $(or $(SECONDS),20) $(WITHOUT)

kills: .venv/installed-dev ## each process killed in turn at 1,000 orders a minute; MINUTES=30: a random one a minute
	$(BIN)/python -m tests.chaos.kills $(MINUTES)

backup: .venv/installed ## everything that cannot be made again, into TO=file; while it runs, too
	$(BIN)/python -m pipeline.backup save $(TO)

restore: .venv/installed ## fill a new DATA_DIR (or the empty database at DATABASE_URL) from FROM=file
	$(BIN)/python -m pipeline.backup load $(FROM)

dead-letters: .venv/installed ## what is tried no more: DO="list", "show ID", "replay ID", "replay all", "discard ID"
	$(BIN)/python -m pipeline.dead_letters $(or $(DO),list)

schedules: .venv/installed-dev ## N (10) random schedules of a bad network over a purchase, from SEED (1) on
	$(BIN)/python -m tests.browser
	$(BIN)/python -m web.offline_build
	$(BIN)/python -m tests.journey.offline.schedules $(N) $(or $(SEED),1)

scan: .venv/installed-dev ## known faults in our code and in what it stands on
	$(BIN)/python -m tests.scan

stubs: .venv/installed-dev ## the gRPC stubs, anew from seatlock.proto
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. pipeline/seatlock/seatlock.proto

translations: .venv/installed-dev ## the catalogues, anew from templates and code; then translate what is new
	$(BIN)/pybabel -q extract -F web/translations/babel.cfg -k N_ --no-wrap --no-location -o .venv/messages.pot .
	$(BIN)/pybabel -q update -i .venv/messages.pot -d web/translations --no-wrap --no-fuzzy-matching --omit-header
	$(BIN)/pybabel -q compile -d web/translations

pictures: .venv/installed-dev ## the app's icons and the pictures of its manifest, anew
	$(BIN)/python -m tests.browser
	$(BIN)/python -m tests.icons

token: .venv/installed ## print an access token: make -s token EMAIL=ana@example.com
	$(BIN)/python -m web.provider token $(EMAIL)

tokens: .venv/installed ## make N local buyers and print a token a line: make -s tokens N=1000
	$(BIN)/python -m web.provider tokens $(N)
