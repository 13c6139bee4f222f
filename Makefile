# `make demo` and `make test` need Python 3.10 to 3.12 and nothing else; both make .venv first.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.10 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Files in their order, the long ones first (tests/conftest.py): the two workers end at about the same time.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# Compiled files are kept: else every process compiles torch and transformers anew, for half a minute.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-thorough lint check readme bench clean constraints
.DEFAULT_GOAL := help

help:            ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: .venv/.complete  ## make .venv with the pinned versions

# uv (itself a pip install) fills .venv in about a minute; plain pip takes several.
.venv/.complete: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "sf-eval needs Python 3.10, 3.11 or 3.12 on the PATH, or: make PYTHON=/path/to/python"; exit 1; }
	rm -f $@
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@# Its validator alone reads an export in a test; what the package asks for beside it is of other versions than ours.
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --upgrade \
		--target .venv/validators every-eval-ever==0.3.0
	touch $@

demo: setup  ## evaluate the mini models on the mini benchmarks, and make a page of it: no GPU, no download
	$(BIN)/sf-eval run --model mini,mini-16f,mini-pooled --data mini --tasks videomme,mlvu,mvbench,egoschema_subset,longvideobench,videomme_w_subtitle
	@cd results/runs && newest=$$(ls -td *-comparison | head -n 1) && cd ../.. && \
		$(BIN)/sf-eval look results/runs/$$newest/mini --brief --limit 24 && \
		$(BIN)/sf-eval view results/runs/$$newest

test: setup  ## the tests, but for whole matrices and repeated real runs
	$(PYTEST) -m "not thorough"

test-thorough: setup  ## the others: whole matrices, kills at many moments, whole trainings, Ray
	$(PYTEST) -m thorough

lint: setup  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## what CI runs

readme: setup  ## figures of README, docs/attaching.md and docs/mini.md anew, from results/
	$(BIN)/python -m sf_eval.report.readme
	$(BIN)/python -m sf_eval.training.attached.page
	$(BIN)/python -m sf_eval.training.when.page

constraints:  ## write constraints.txt anew: the pinned versions for every supported Python
	$(BIN)/uv pip compile --universal --python-version 3.10 --extra dev --no-annotate --no-emit-index-url \
		--quiet --output-file constraints.txt pyproject.toml

clean:  ## remove .venv and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
