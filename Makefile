# `make run` and `make test` install everything they need: environment and locked dependencies.

# Python 3.11 to 3.13; choose one with `make run PYTHON=python3.12`.
PYTHON ?= python3 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
BASE_URL ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-slow fuzz coverage docs bench bench-annotations scale viz notebook lint format lock clean distclean install install-dev

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

run: install ## Set up the environment if necessary, then execute `kedro run $(ARGS)`.
	@$(BIN)/kedro run $(ARGS)

test: install-dev ## Set up the environment if necessary, then run all tests except the slow ones.
	@$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile $(ARGS)

test-slow: install-dev ## Run the tests that take minutes.
	@$(BIN)/python -m pytest -m slow $(ARGS)

fuzz: install-dev ## Damage annotation files of each format 10,000 times (minutes).
	@MNIST_LOCALIZATION_MUTATIONS=10000 $(BIN)/python -m pytest tests/data/annotations/test_fuzz.py --numprocesses auto --timeout 3000 $(ARGS)

coverage: install-dev ## Run the tests of `make test` and report coverage; fail below the floor.
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not slow" --numprocesses auto --dist loadfile $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

docs: install-dev ## Build the documentation in build/docs; warnings are errors.
	@NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet $(ARGS)
	@echo "Open build/docs/index.html in a browser"

viz: install ## Show the data flow in a browser with kedro viz.
	@$(BIN)/kedro viz run $(ARGS)

notebook: install-dev ## Open the tutorial notebook; the server listens on this machine only.
	@$(BIN)/jupyter notebook --ip=127.0.0.1 $(ARGS) notebooks/object_localization.ipynb

bench: install ## Measure the speed; BASE_URL=<folder or URL of the four dataset files>.
	@$(BIN)/python -m benchmarks --base-url "$(BASE_URL)" $(ARGS)

scale: install ## Measure time and memory for 600,000 and 2,000,000 generated images (hours).
	@$(BIN)/python -m benchmarks.scale $(ARGS)

bench-annotations: install ## Measure time and memory to read 1,000,000 annotation rows.
	@$(BIN)/python -m benchmarks.annotations $(ARGS)

lint: install-dev ## Check style, types and import rules.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install-dev ## Format the code.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Folders that runs write, in all environments; `clean` touches nothing else in data/.
MADE := $(wildcard data/0[2-8]_* data/*/0[2-8]_*) $(wildcard data/bench)

clean: ## Remove outputs of runs and tools; keep downloads, your own files and the environment.
	@for folder in $(MADE); do find "$$folder" -mindepth 1 -depth ! -name .gitkeep -delete; done
	@rm -rf build wandb .viz .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
	@find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Also remove downloads and the environment.
	@for folder in $(wildcard data/01_raw data/*/01_raw); do \
	  find "$$folder" -mindepth 1 -depth ! -name .gitkeep -delete; \
	done
	@rm -rf $(VENV)

install: $(VENV)/.installed ## Create the environment from requirements.lock (pinned by hash).
install-dev: $(VENV)/.installed-dev ## Also install what tests, checks and documentation need.

$(VENV)/bin/python:
	@set -e; for python in $(PYTHON); do \
	  if found=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then \
	    case "$$found" in \
	      3.11|3.12|3.13) echo "Creating $(VENV) with Python $$found"; \
	        $$python -m venv $(VENV) && exit 0; rm -rf $(VENV); \
	        echo "error: '$$python -m venv' failed; on Debian and Ubuntu install python$$found-venv" >&2; exit 1;; \
	      *) refused="$$refused $$python is $$found;";; \
	    esac; \
	  fi; \
	done; \
	echo "error: TensorFlow and the locked packages need Python 3.11, 3.12 or 3.13, but:$${refused:- none of '$(PYTHON)' runs;}" \
	  "install one of these versions and select it: make run PYTHON=python3.12" >&2; exit 1

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages (once, takes a few minutes)"
	@$(PIP) install --quiet --require-hashes --requirement requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the locked packages for development"
	@$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

lock: install-dev ## Regenerate both lock files from the ranges in pyproject.toml and constraints.txt.
	@unset PIP_FIND_LINKS UV_FIND_LINKS; \
	compile="$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet"; \
	$$compile pyproject.toml --constraint constraints.txt --output-file requirements.lock && \
	$$compile pyproject.toml --group dev --extra onnx --extra s3 --constraint requirements.lock --output-file requirements-dev.lock
