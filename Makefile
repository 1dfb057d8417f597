# make demo    photographs compressed, restored and cleaned, as one HTML page
# make test    lint, types and tests
# make docs    the documentation as a site, in site/
# Each makes its own virtual environment, again only when pyproject.toml has changed.

.DELETE_ON_ERROR:
.PHONY: help demo test docs install check clean

# The first interpreter that is new enough; set PYTHON to choose another.
CANDIDATES := python3 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Several photographs of your own: make demo PHOTOS="a.jpg b.png"
PHOTOS ?=

# The photographs and data sets that some tests measure on; without them those are skipped.
export VENTURI_DATA ?= $(abspath $(wildcard ../shared/data))

DEMO := .venv-demo
TEST := .venv-test
DOCS := .venv-docs
TEST_EXTRAS := cpu,images,video,train,benchmarks,demo,docs,examples,dev

help:
	@sed -n 's/^# //p;/^$$/q' Makefile

demo: $(DEMO)/stamp
	$(DEMO)/bin/python -m benchmarks.demo $(PHOTOS)

test: $(TEST)/stamp
	@$(MAKE) check BIN=$(TEST)/bin/

docs: $(DOCS)/stamp
	$(DOCS)/bin/python -m sphinx --fail-on-warning --keep-going --quiet docs site
	@echo "wrote site/index.html"

# What make test does, in an environment that is already active (BIN is empty): CI uses these two.
install:
	python -m pip install --editable '.[$(TEST_EXTRAS)]'

check:
	$(BIN)ruff check
	$(BIN)ruff format --check
	$(BIN)mypy
	$(BIN)python -m pytest -n logical --maxprocesses 4 --dist loadgroup

$(DEMO)/stamp: EXTRAS := cpu,images,demo
$(TEST)/stamp: EXTRAS := $(TEST_EXTRAS)
$(DOCS)/stamp: EXTRAS := docs

# Where Python comes without ensurepip (Debian's), pip is used from outside the environment.
%/stamp: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer among $(CANDIDATES);" \
		"install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "making $* with $(PYTHON): this takes a minute or two, once"
	rm -rf $*
	$(PYTHON) -m venv $* 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $*
	$(PYTHON) -m pip --python $*/bin/python install --quiet --editable '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf $(DEMO) $(TEST) $(DOCS) demo-output site .mypy_cache .pytest_cache .ruff_cache .hypothesis
