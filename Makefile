# `make lab` to learn, `make test` to check everything. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
COLAB_BIN := $(BIN:$(VENV)/%=.venv-colab/%)
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_INDEX := https://download.pytorch.org/whl/cpu
# Ends after six seconds at the latest, also where a name server never answers.
TORCH_INDEX_ANSWERS := import os, threading, urllib.request; threading.Timer(6, os._exit, [1]).start(); \
	urllib.request.urlopen("$(TORCH_INDEX)/torch/", timeout=5); os._exit(0)
TORCH_FROM = $(shell $(PYTHON) -c '$(TORCH_INDEX_ANSWERS)' 2>/dev/null && echo --extra-index-url $(TORCH_INDEX))
# JupyterLab refuses to run as root, as in a container, unless told to.
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)
# One thread each, unless you ask for more: several workers that share the cores would otherwise wait for one another.
OMP_NUM_THREADS ?= 1
TEST_ENV := TINYCOURSE_FAST=1 OMP_NUM_THREADS=$(OMP_NUM_THREADS)
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=1800
PYTEST_FLAGS ?= -q -n auto --maxprocesses=4 --dist=loadscope

.PHONY: help setup lab test test-processors nbgrader lint build site colab clean

help: ## list what make can do
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 17

setup: $(VENV)/ready ## create .venv with the course in it

lab: $(VENV)/ready ## set up, check the machine, open JupyterLab on lesson 00
	@$(BIN)/tinycourse doctor || echo "The lines marked [FAIL] say what to do. JupyterLab opens all the same."
	$(BIN)/jupyter lab --ServerApp.root_dir='$(CURDIR)' $(ROOT_FLAG) $(LAB_FLAGS) notebooks/00_*.ipynb

test: $(VENV)/ready-to-test ## set up, run all tests and notebooks, compare built files with their sources, lint
	$(TEST_ENV) $(BIN)/python -m pytest $(PYTEST_FLAGS) --durations=20 $(NBVAL) tests notebooks solutions
	$(BIN)/tinycourse build --check
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

test-processors: $(VENV)/ready-to-test ## run numerical tests and three lessons as other x86 processors would (half an hour)
	$(BIN)/python tests/processors.py run

nbgrader: $(VENV)/ready-to-test ## install nbgrader, and test that its commands run on the exercises
	@$(PIP) install --quiet -c constraints.txt -e '.[teach]'
	$(TEST_ENV) $(BIN)/python -m pytest -q tests/test_nbgrader.py

lint: $(VENV)/ready-to-test ## check the style of the code, its imports, and the spelling of everything
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

build: $(VENV)/ready-to-test ## build notebooks, exercises and solutions from lessons/
	$(BIN)/tinycourse build

site: $(VENV)/ready-to-test ## build the website into build/site, from the notebooks as they are
	@$(PIP) install --quiet -c constraints.txt -e '.[site]'
	$(BIN)/sphinx-build -q -W --keep-going -b html -c docs/site . build/site
	@echo 'Open build/site/index.html'

colab: .venv-colab/ready ## run every notebook with the versions that Colab brings, in .venv-colab
	$(TEST_ENV) $(COLAB_BIN)/python -m pytest $(PYTEST_FLAGS) $(NBVAL) notebooks solutions tests/test_colab.py

clean: ## remove .venv and what was built in build/ and dist/
	rm -rf $(VENV) .venv-colab build dist .pytest_cache .ruff_cache

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo 'The course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is not one of them:' \
			'install one, then call make again with PYTHON=python3.11 (or its path).'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo 'Python could not create the virtual environment $(VENV):' \
			'install the module venv of $(PYTHON) (on Debian and Ubuntu the package python3-venv), then call make again.'; exit 1; }
	@echo 'Installing the course into $(VENV): this takes some minutes, once.'
	@if $(BIN)/python -c '$(TORCH_INDEX_ANSWERS)' 2>/dev/null; \
		then $(PIP) install --no-deps --index-url $(TORCH_INDEX) -c constraints.txt torch torchaudio; \
		else echo 'The index of PyTorch does not answer: torch comes from the default index.'; fi
	@$(PIP) install -c constraints.txt -e '.[lab]'
	@$(BIN)/python -m tinycourse._torchaudio
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready
	@$(PIP) install --quiet -c constraints.txt -e '.[lab,onnx,test]'
	@touch $@

.venv-colab/ready: pyproject.toml constraints-colab.txt
	@$(PYTHON) -m venv .venv-colab
	@$(COLAB_BIN)/python -m pip install --quiet $(TORCH_FROM) -c constraints-colab.txt -e '.[test]'
	@$(COLAB_BIN)/python -m tinycourse._torchaudio
	@touch $@
