# The only vocabulary, for people, hooks and CI. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup tools lock again run demo test check write bench verify faults contracts rebuild parked release revoke staff reset
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV_COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate

needs = @test -n "$($(1))" || { echo "say which: make $@ $(1)=$(2) ..." >&2; exit 2; }

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done ## create the virtual environment with what running needs, from the hash locks

tools: $(VENV)/.tools ## add what make test and make check need

HALF := $(wildcard $(VENV)/.installing)

$(VENV)/.done: requirements/installer.lock requirements/local.lock package-lock.json $(HALF:%=again)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Parvandeh needs Python 3.11 or newer")'
	@$(PYTHON) -m deploy.local.install $(VENV) requirements/local.lock
	@$(PY) -m deploy.local.assets
	@touch $@

$(VENV)/.tools: $(VENV)/.done requirements/dev.lock
	@$(PYTHON) -m deploy.local.install $(VENV) requirements/dev.lock
	@touch $@

lock: setup ## rewrite the locks after a change of pyproject.toml, keeping pinned versions where possible
	@$(UV_COMPILE) --all-extras --group dev --output-file requirements/dev.lock pyproject.toml
	@$(UV_COMPILE) --constraints requirements/dev.lock --extra local --output-file requirements/local.lock pyproject.toml
	@$(UV_COMPILE) --constraints requirements/dev.lock --output-file requirements/product.lock pyproject.toml

run: setup ## start PostgreSQL, Kafka and every service; Ctrl-C stops them (DAY=1: a day takes 1 s)
	@exec env $(if $(DAY),PARVANDEH_WORKING_DAY_SECONDS=$(DAY)) $(PY) -m deploy.local run

demo: setup ## a Kerman week of 1,000 requests to a running `make run`; resumes after Ctrl-C (REQUESTS=, SEED=)
	@$(PY) -m deploy.demo --requests $(or $(REQUESTS),1000) $(if $(SEED),--seed $(SEED))

rebuild: setup ## rebuild every projection from the log while the services keep running (needs make run)
	@$(PY) -m deploy.local rebuild

parked: setup ## list what could not be applied or carried out, and why (needs make run)
	@$(PY) -m deploy.local parked

release: setup ## release parked work: SERVICE=review READER=cases WHAT=case:... (or READER=agenda WHAT=<item>)
	$(call needs,SERVICE,review)
	@$(PY) -m deploy.local service $(SERVICE) release $(READER) $(WHAT)

revoke: setup ## end all sessions of a person at a desk at once: SERVICE=review SUBJECT=rev-1 (needs make run)
	$(call needs,SERVICE,review)
	@$(PY) -m deploy.local service $(SERVICE) revoke $(SUBJECT)

staff: setup ## enrol, change, list accounts, offices, agencies, reviewers of a desk: SERVICE=review DO='account list' (needs make run)
	$(call needs,SERVICE,review)
	@$(PY) -m deploy.local service $(SERVICE) $(DO)

reset: setup ## ask, then delete all local data
	@$(PY) -m deploy.local reset

test: tools ## run all tests against the real PostgreSQL and the real Kafka
	@$(PY) -m pytest -q

check: tools ## linters, types, architecture, schemas up to date; fast
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy schemas caselog chassis services deploy tests
	@$(PY) -m schemas check
	@$(PY) -m deploy.openapi check
	@$(PY) -m deploy.reference check
	@$(PY) -m pytest -q tests/architecture tests/docs

write: tools ## write every file that is generated: schemas, OpenAPI, reference, the page of the benchmarks
	@$(PY) -m schemas write
	@$(PY) -m deploy.openapi write
	@$(PY) -m deploy.reference write
	@$(PY) -m tests.bench.page write

bench: tools ## what it costs, each figure beside its limit or peer in the same run, kept in docs/benchmarks (SHORT=1, ONLY="reading", RECORD=1, OUTPUT=)
	@exec $(PY) -m tests.bench $(if $(SHORT),--short) $(foreach part,$(ONLY),--only $(part)) $(if $(RECORD),--record) $(if $(OUTPUT),--output $(OUTPUT))

faults: tools ## strike everything KILLS times (100) under load, every other fault, every planted bug; long (SEED= replays)
	@KILLS=$(or $(KILLS),100) LOST=$(or $(LOST),1000) SECONDS=$(or $(SECONDS),120) $(PY) -m pytest -q -s tests/faults
	@HISTORIES=$(or $(HISTORIES),10000) $(PY) -m pytest -q tests/simulation
	@$(PY) -m pytest -q tests/oracle

contracts: tools ## ask every service EXAMPLES (1,000) requests by its OpenAPI document: no 5xx, no undocumented answer; long
	@EXAMPLES=$(or $(EXAMPLES),1000) $(PY) -m pytest -q -s tests/journeys/test_9_contracts.py

verify: setup ## re-hash the whole local log from its bytes (needs make run)
	@$(PY) -m deploy.local verify
