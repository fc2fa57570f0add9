# Two commands for a fresh machine with python3-venv and make:
#   make demo    makes a 4D scene from a sentence, with all that it needs on this machine; the page is out/panda/scene.html
#   make test    runs the test suite
# Each creates .venv and installs the project first if that has not been done.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt

.PHONY: demo test slow browser lint install dev clean

demo: $(VENV)/.installed
	$(BIN)/4real generate "a panda dancing on grass at sunset" --out out/panda

# A process a core, each with the tests of whole files, which share what they train; two threads in one gain less.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

browser: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/budgets.py

install: $(VENV)/.installed
dev: $(VENV)/.installed-dev

# torch goes first and alone, so that nothing else can choose another build of it.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) -e ".[sfm]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e ".[sfm,dev]"
	touch $@

clean:
	rm -rf $(VENV) out dist build
