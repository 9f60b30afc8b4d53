# Two commands for a fresh machine with Python 3.11: `make run` and `make test`. While working: `make quick`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test pytest quick lint pins clean
.DELETE_ON_ERROR:

run: $(VENV)/.run  ## set up, then serve the app and the REST service on http://127.0.0.1:8501
	$(BIN)/python -m wenmo serve

test: lint pytest  ## set up, then lint, type-check and run every test; with --jobs=2 both beside each other

pytest: $(VENV)/.test  # in the order of the files: those with few and long tests are not left for the end
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

quick: $(VENV)/.test lint  ## set up, then lint, type-check and run the tests that your changes touch
	$(BIN)/python -m tests.touched

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The ranges of pyproject.toml as exact versions, of direct dependencies. A version that is pinned and in its range stays;
# `make pins UPGRADE="--upgrade-package torch"` takes the newest one of torch, `make pins UPGRADE=--upgrade` the newest of all.
COMPILE := uv pip compile pyproject.toml --quiet --no-deps --no-annotate --no-strip-extras --python-version 3.11 \
	--custom-compile-command "make pins" $(UPGRADE)

pins: $(VENV)/.test  ## write requirements*.txt
	$(BIN)/$(COMPILE) --extra app -o requirements.txt
	$(BIN)/$(COMPILE) --extra app --extra cluster -c requirements.txt -o requirements-cluster.txt
	$(BIN)/$(COMPILE) --extra app --group recipes -c requirements.txt -o requirements-train.txt
	$(BIN)/$(COMPILE) --extra api --extra onnx --no-emit-package torch --no-emit-package numba \
		-c requirements.txt -o requirements-onnx.txt
	$(BIN)/$(COMPILE) --extra export -c requirements.txt -c requirements-onnx.txt -o requirements-export.txt
	$(BIN)/$(COMPILE) --extra app --extra cluster --extra mcp --extra search --extra export --group dev \
		-c requirements.txt -c requirements-cluster.txt -c requirements-train.txt -c requirements-export.txt \
		-o requirements-dev.txt

$(VENV)/.run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wenmo needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.test: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
