# One command each: make demo, make test, make test-long, make test-spark, make coverage, make check,
# make docs, make bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SPARK_VENV := .venv-spark
SPARK_READY := $(SPARK_VENV)/.ready

.PHONY: setup demo test test-long test-spark coverage check docs bench lock format clean

setup: $(READY)

# The environment is made from the lock file alone; pip checks every hash in it.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("pseudoledger needs Python 3.11 or newer; try: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: setup
	rm -rf demo-run
	$(BIN)/pseudoledger demo demo-run

test: setup
	$(BIN)/python -m pytest -n 2 -m "not long"

test-long: setup
	$(BIN)/python -m pytest -n 2 -m "long or not long"

# The engine on Apache Spark, in an environment of its own because of its size; needs Java 17 or newer.
test-spark: $(SPARK_READY)
	$(SPARK_VENV)/bin/python -m pytest -m spark tests/unit/audit/trace/test_spark.py
	$(SPARK_VENV)/bin/python -m pytest tests/test_public_api.py -k spark

$(SPARK_READY): requirements.lock requirements-spark.lock pyproject.toml
	@test -x $(SPARK_VENV)/bin/python || $(PYTHON) -m venv $(SPARK_VENV)
	$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-spark.lock
	$(SPARK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(SPARK_READY)

# Which branches the tests run; fails below the share set in pyproject.toml.
coverage: setup
	$(BIN)/python -m pytest -n 2 -m "not long" --cov --cov-report=term:skip-covered

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/interrogate --quiet src
	$(BIN)/python tools/reference.py --check

# Writes the generated parts of docs/reference anew.
docs: setup
	$(BIN)/python tools/reference.py

bench: setup
	$(BIN)/pseudoledger bench

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Resolves the dependencies anew; the file names no index, so it works with whichever one pip is set up for.
lock: setup
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --group dev --extra trace --no-strip-extras --generate-hashes --universal \
		--python-version 3.11 --no-emit-index-url --no-header -o requirements.lock
	sed -n '/^spark = \[/,/^\]/s/^ *"\(.*\)".*/\1/p' pyproject.toml | $(BIN)/uv pip compile --quiet --upgrade - --generate-hashes \
		--universal --python-version 3.11 --no-emit-index-url --no-header -o requirements-spark.lock

clean:
	rm -rf $(VENV) $(SPARK_VENV) demo-run build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
