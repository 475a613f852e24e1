# `make` alone lists what there is to type.

PYTHON ?= python3.11
WORKERS ?= 2
NPROCS ?= 2
PERMUTATIONS ?= 200

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOWEST := .venv-lowest

# Tests run side by side, so each worker gets one BLAS and one torch thread.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help .venv test test-slow test-lowest check lint types contracts fast demo bench docs docker clean

help:  ## list the targets
	@echo "make TARGET [PYTHON=python3.11]"
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv: $(STAMP)  ## make the environment (about 6.3 GB)

# Written last: an installation that was cut short is gone on with, not taken for whole.
$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) was not found or is older than 3.11."; \
	  echo "Install Python 3.11 (Debian, Ubuntu: apt-get install python3.11), or name another: make PYTHON=python3.12"; \
	  exit 1; }
	@$(PYTHON) -c 'import venv' 2>/dev/null || { \
	  echo "$(PYTHON) lacks the module venv."; \
	  echo "Install it (Debian, Ubuntu: apt-get install python3.11-venv), or name another Python: make PYTHON=..."; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) lacks the module ensurepip, so it cannot put pip into an environment."; \
	  echo "Install it (Debian, Ubuntu: apt-get install python3.11-venv), or name another Python: make PYTHON=..."; \
	  exit 1; }
	@echo "Installing bids_dnn with its test and documentation tools into $(VENV)."
	@echo "This takes about 6.3 GB of disk, most of it torch with its CUDA libraries (used where there is a GPU), and some minutes."
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip >= 24.1'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[test,doc]'
	@touch $@

test: $(STAMP)  ## run the whole test suite
	$(PYTEST) $(SPREAD)

test-slow: $(STAMP)  ## run the tests that take over 10 s each
	$(PYTEST) $(SPREAD) -m slow

test-lowest: $(LOWEST)/.installed  ## run the suite on the oldest dependencies that setup.cfg allows
	$(ONE_THREAD) $(LOWEST)/bin/python -m pytest $(SPREAD)

$(LOWEST)/.installed: setup.cfg pyproject.toml
	@echo "Installing the oldest allowed dependencies into $(LOWEST), about 6.3 GB."
	@rm -f $@
	@$(LOWEST)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(LOWEST)
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check uv
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable '.[test]'
	@touch $@

check: lint types contracts fast  ## lint, types, import contracts and the fast tests, in under 2 minutes

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

fast: $(STAMP)
	$(PYTEST) $(SPREAD) -m "not slow and not validator and not whole"

# Runs one command of the demo and says how long it took.
timed = @echo; echo "\$$ $(1)"; start=$$(date +%s); $(1) || exit $$?; echo "($$(( $$(date +%s) - start )) s)"

demo: $(STAMP) demo/.simulated  ## simulate a data set and run the whole App on it, offline
	$(call timed,$(BIN)/bids_dnn demo/bids demo/out participant --weights alexnet=random --work-dir demo/work --nprocs $(NPROCS) --omp-nthreads 1 --n-permutations $(PERMUTATIONS))
	$(call timed,$(BIN)/bids_dnn demo/bids demo/out group --work-dir demo/work)
	@test -f demo/out/group.html
	@echo; echo "The group report is $(CURDIR)/demo/out/group.html; the participants' reports lie beside it."

# Made anew when the simulation changes; rules of demo/ are otherwise safe to run again.
demo/.simulated: $(wildcard bids_dnn/simulate/*.py) $(wildcard bids_dnn/imaging/*.py) | $(STAMP)
	@rm -rf demo/bids demo/.simulated
	@mkdir -p demo
	$(call timed,$(BIN)/bids_dnn_tools simulate demo/bids)
	@touch $@

bench: $(STAMP)  ## compare answers and times with other packages
	$(BIN)/python -m benchmarks --size small

docs: $(STAMP)  ## build the documentation, warnings as errors
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "The documentation is $(CURDIR)/docs/_build/html/index.html"

docker:  ## build the Docker image bids_dnn:latest
	@command -v docker >/dev/null 2>&1 || { \
	  echo "The command docker was not found."; \
	  echo "Install Docker, or build Singularity.def: apptainer build bids_dnn.sif Singularity.def"; \
	  exit 1; }
	docker build --build-arg BIDS_DNN_DOCKER_TAG=bids_dnn:latest --tag bids_dnn:latest .

clean:  ## remove what was made, but not the environment
	rm -rf build dist demo docs/_build docs/api *.egg-info $(LOWEST)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find bids_dnn benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
