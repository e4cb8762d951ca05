# Everyday tasks. `make` lists them; each works alone on a fresh clone, as root or not.
# Variables: PYTHON, VENV, PYTEST_ARGS, SERVERS, LISTEN, DATA_DIR (see CONTRIBUTING.md).
.DEFAULT_GOAL := help
.PHONY: help demo test test-matrix stacks bench bench-quick lint docs dist clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Serve the example project here until Ctrl-C
	@scripts/demo

test: ## Install missing servers where that is allowed, run the whole suite
	@scripts/servers
	@scripts/test

test-matrix: ## The same suite on the oldest and the newest Python and Django
	@scripts/servers
	@scripts/test-matrix

stacks: ## Run every stack through the behaviour table, print which rows hold
	@scripts/servers
	@PYTEST_ARGS="tests/servers -k behaviour --stacks -q --no-cov" scripts/test

bench: ## Measure whole stacks, and what each part adds, beside their peers: bench/results
	@scripts/servers
	@scripts/bench

bench-quick: ## The rows of it that tell most, in less than three minutes
	@scripts/servers
	@scripts/bench --quick

lint: ## Check style and types
	@scripts/lint

docs: ## Build the documentation into build/docs
	@scripts/docs

dist: ## Build wheel and sdist into dist/, install the wheel once to see that it works
	@scripts/dist

clean: ## Remove everything the other targets made, but for example_project/var
	@scripts/clean
