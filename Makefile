# Each target works as the first command on a fresh clone: it creates .venv and installs with the
# constraints. Set PYTHON to choose an interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto

.PHONY: install demo test test-all test-hostile test-browser check docs format clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	$(BIN)/convlens train digits

test: install
	$(BIN)/pytest -q -n $(WORKERS) -m 'not slow'

# Hostile files of every kind, for MINUTES; writes the figures and updates the guide's page.
MINUTES ?= 10
HOSTILE_FIGURES ?= tests/hostile/figures.json
HOSTILE_PAGE ?= docs/guide/hostile-files.md
test-hostile: install
	$(BIN)/python -m tests.hostile --minutes $(MINUTES) --seed 0 --out $(HOSTILE_FIGURES) \
		--page $(HOSTILE_PAGE)

test-all: install
	$(BIN)/pytest -q -n $(WORKERS)

# The report in a real browser: needs Chromium and npm.
test-browser: install
	cd tests/reporting && npm ci --no-audit --no-fund
	$(BIN)/pytest -q -rs tests/reporting/test_browser.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "written to site/index.html"

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis site build
