# Two commands do everything: `make run` and `make test`. Each sets .venv up first, if requirements.lock is newer.
.DEFAULT_GOAL := help
SHELL := /bin/bash
RUN := .venv/bin/bert-multilabel
GOEMOTIONS ?= data/goemotions
VARIANT ?= cpu
IMAGE ?= bert-multilabel:$(VARIANT)
PYTHON_FILES := cli components pipeline runners schema tests benchmarks data image setup.py

# A venv does not survive being moved: one that was made in another folder is made again.
ifneq ($(shell cat .venv/.ready 2>/dev/null),$(CURDIR))
.PHONY: .venv/.ready
endif

.PHONY: help
help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: .venv/.ready ## .venv from requirements.lock

.venv/.ready: requirements.lock setup.py scripts/bootstrap.lock scripts/setup.sh scripts/private_libc.sh
	@scripts/setup.sh

.PHONY: run
run: .venv/.ready ## The whole pipeline on the bundled sample
	@$(RUN) run --config configs/sample.yaml

.PHONY: goemotions
goemotions: .venv/.ready ## The same on GoEmotions, fetched from its authors unless GOEMOTIONS=FOLDER has it
	@.venv/bin/python -m benchmarks.fetch_goemotions "$(GOEMOTIONS)"
	@$(RUN) run --config configs/goemotions.yaml --set examples.input_base="$(GOEMOTIONS)"

.PHONY: flink-start
flink-start: .venv/.ready ## A Flink cluster on this machine for `beam: {runner: flink}`, see docs/beam.md
	@scripts/flink.sh start

.PHONY: flink-stop
flink-stop: ## Ends it
	@scripts/flink.sh stop

.PHONY: test
test: check ## Checks and every test, two files at a time
	@.venv/bin/python -m pytest -n 2 --dist loadfile

.PHONY: image
image: ## The container image, by Docker or Podman; VARIANT=cpu, cuda or beam; IMAGE=its name
	@scripts/image.sh "$(IMAGE)" "$(VARIANT)"

.PHONY: test-image
test-image: .venv/.ready ## What is in the Dockerfile, built without a container engine and used; root, minutes
	@TEST_IMAGE=$(VARIANT) .venv/bin/python -m pytest tests/image -s

.PHONY: check
check: .venv/.ready ## ruff and mypy
	@.venv/bin/ruff check $(PYTHON_FILES)
	@.venv/bin/ruff format --check $(PYTHON_FILES)
	@.venv/bin/mypy

.PHONY: format
format: .venv/.ready ## Lays the code out
	@.venv/bin/ruff check --fix $(PYTHON_FILES)
	@.venv/bin/ruff format $(PYTHON_FILES)

COMPILE = .venv/bin/uv pip compile setup.py --override requirements.overrides --python-version 3.11 \
	--python-platform x86_64-manylinux_2_39 --generate-hashes --no-emit-index-url --quiet --custom-compile-command "make lock"
# The image's packages are those of requirements.lock, in the same versions.
COMPILE_IMAGE = $(COMPILE) --constraint requirements.lock --no-annotate

.PHONY: lock
lock: .venv/.ready ## Resolves setup.py again into the locks; add UPGRADE=--upgrade for newer versions
	@$(COMPILE) --extra dev $(UPGRADE) --output-file requirements.lock
	@$(COMPILE_IMAGE) image/cpu.in --override image/cpu.overrides $(UPGRADE) --output-file image/cpu.lock
	@$(COMPILE_IMAGE) image/cuda.in $(UPGRADE) --output-file image/cuda.lock

.PHONY: clean
clean: ## Removes what runs have written
	rm -rf runs
