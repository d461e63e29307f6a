# SPDX-License-Identifier: Apache-2.0
# Every target that needs the environment runs `setup` first. WHEELS=jazzy selects ROS 2 Jazzy instead of Kilted; an installed ROS 2 that was sourced
# takes precedence over the wheels.
WHEELS ?= kilted
export WHEELS
export FER_ROS_ROOT := $(CURDIR)

IN_ENV := . scripts/env.sh &&

.PHONY: help setup demo test fuzz fuzz-dds coverage bench soak train docs results lint lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: ## create the environment and build the package in it
	@scripts/setup

demo: setup ## run the nodes on a built-in scene, a video, images or a webcam: INPUT=path, MODEL=, DETECTOR=, DASHBOARD=1, ARGS=
	@$(IN_ENV) fer-demo $(if $(INPUT),--input "$(INPUT)") $(if $(MODEL),--model "$(MODEL)") $(if $(DETECTOR),--detector "$(DETECTOR)") \
	  $(if $(DASHBOARD),--dashboard) $(ARGS)

# A test that takes longer than five minutes hangs: its stacks are printed, and its process and the run end.
test: setup ## run all tests, at most four files at a time; ARGS="-k tracker" goes to pytest, ARGS="-n 0 --pdb" debugs
	@$(IN_ENV) python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
	  -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true $(if $(COVERAGE),--cov --cov-report=) $(ARGS)

fuzz: setup ## read mutated images, data sets, models and so on; MINUTES=10 GUIDED=1 (by Atheris), exits with 1 if one is a finding
	@$(IN_ENV) PYTHONPATH="$(CURDIR)/test:$$PYTHONPATH" python -m fuzz --minutes $(or $(MINUTES),5) \
	  $(if $(GUIDED),--guided) $(ARGS)

fuzz-dds: setup ## send MESSAGES=5000 hostile messages to emotion_node, which must answer the good image after each
	@$(IN_ENV) PYTHONPATH="$(CURDIR)/test:$(CURDIR)/test/ros:$$PYTHONPATH" python -m fuzz.dds \
	  --messages $(or $(MESSAGES),5000) $(ARGS)

coverage: setup ## report the line coverage of the last `make test COVERAGE=1`; fails below 95 % of the library or 90 % of nodes
	@$(IN_ENV) coverage report --skip-covered --omit='fer_ros/nodes/*' --fail-under=95 && \
	  coverage report --skip-covered --include='fer_ros/nodes/*' --fail-under=90

bench: setup ## measure the nodes and their parts; PEERS=1 adds a public library for comparison
	@$(IN_ENV) python -m benchmarks $(if $(PEERS),--peers) $(ARGS)

soak: setup ## run emotion_node for MINUTES=10 with cameras and clients that misbehave; exits with 1 if it stalls or grows
	@$(IN_ENV) python -m benchmarks.soak --minutes $(or $(MINUTES),10) $(ARGS)

train: setup ## train a model with fer-train; ARGS="--help" lists the options
	@$(IN_ENV) fer-train $(ARGS)

docs: setup ## build the documentation site in out/site, also without a network; warnings and broken links are errors
	@$(IN_ENV) python -m pip install --quiet --disable-pip-version-check --requirement requirements/$(if $(LOCKED),lock-)docs.txt && \
	  NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict $(ARGS)

results: setup ## write docs/reports/papers.md from the runs of fer-reproduce in RUNS=out/papers
	@$(IN_ENV) python scripts/results $(RUNS)

lint: setup ## check style, format, types, layers and spelling
	@$(IN_ENV) ruff check . && ruff format --check . && mypy && lint-imports --no-logo && codespell

lock: ## renew requirements/lock-*.txt, the versions and hashes of all packages; needs uv
	@scripts/lock

clean: ## remove environments, builds and caches; results in out/ and runs/ stay
	rm -rf .ros build install log dist *.egg-info .coverage .coverage.* .hypothesis .*_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
