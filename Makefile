# `make run` and `make test` do everything: environment, locked dependencies, and the work.

# Any of Python 3.11 to 3.13; `make run PYTHON=python3.12` names one.
PYTHON ?= python3 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
BASE_URL ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-slow bench viz notebook lint format lock clean distclean install install-dev

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: install ## Install what is missing, then `kedro run $(ARGS)`.
	@$(BIN)/kedro run $(ARGS)

test: install-dev ## Install what is missing, then run the tests but the slow ones.
	@$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile $(ARGS)

test-slow: install-dev ## Run the tests that take minutes.
	@$(BIN)/python -m pytest -m slow $(ARGS)

viz: install ## Show the flow of the data in a browser.
	@$(BIN)/kedro viz run $(ARGS)

notebook: install-dev ## Open the notebook that tells the story, on this machine alone.
	@$(BIN)/jupyter notebook --ip=127.0.0.1 $(ARGS) notebooks/object_localization.ipynb

bench: install ## Time the notebook's loop and ours; BASE_URL=<folder or URL of the four files>.
	@$(BIN)/python -m benchmarks --base-url "$(BASE_URL)" $(ARGS)

lint: install-dev ## Check style, types and the import rules.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install-dev ## Format the code.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Folders that runs write, of all environments: nothing else in data/ is ever touched.
MADE := $(wildcard data/0[2-8]_* data/*/0[2-8]_*) $(wildcard data/bench)

clean: ## Remove what runs and tools have made; downloads, your own files and the environment stay.
	@for folder in $(MADE); do find "$$folder" -mindepth 1 -depth ! -name .gitkeep -delete; done
	@if [ -d .viz ]; then find .viz -type f ! -name styles.json -delete; fi
	@rm -rf build wandb .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Also remove the downloads and the environment.
	@for folder in $(wildcard data/01_raw data/*/01_raw); do \
	  find "$$folder" -mindepth 1 -depth ! -name .gitkeep -delete; \
	done
	@rm -rf $(VENV)

install: $(VENV)/.installed ## Make the environment, from the lock with hashes.
install-dev: $(VENV)/.installed-dev ## The same, and what the tests need.

$(VENV)/bin/python:
	@set -e; for python in $(PYTHON); do \
	  if found=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then \
	    case "$$found" in \
	      3.11|3.12|3.13) echo "Making $(VENV) with Python $$found"; \
	        $$python -m venv $(VENV) && exit 0; rm -rf $(VENV); \
	        echo "error: '$$python -m venv' failed; on Debian and Ubuntu install python$$found-venv" >&2; exit 1;; \
	      *) refused="$$refused $$python is $$found;";; \
	    esac; \
	  fi; \
	done; \
	echo "error: TensorFlow and the locked packages need Python 3.11, 3.12 or 3.13, but:$${refused:- none of '$(PYTHON)' runs;}" \
	  "install one of these and name it: make run PYTHON=python3.12" >&2; exit 1

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages (once; a few minutes)"
	@$(PIP) install --quiet --require-hashes --requirement requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the locked packages of the tests"
	@$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

lock: install-dev ## Write both lock files anew from the ranges in pyproject.toml.
	@unset PIP_FIND_LINKS UV_FIND_LINKS; \
	compile="$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet"; \
	$$compile pyproject.toml --output-file requirements.lock && \
	$$compile pyproject.toml --group dev --extra onnx --constraint requirements.lock --output-file requirements-dev.lock
