# Every target first creates .venv if it is missing or older than requirements.lock. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
RUN := .venv/bin/bert-multilabel
GOEMOTIONS ?= data/goemotions
VARIANT ?= cpu
EXAMPLES ?= 2000
IMAGE ?= bert-multilabel:$(VARIANT)
PYTHON_FILES := cli components pipeline runners schema serving tests benchmarks data examples image scripts setup.py

# A virtual environment cannot be moved: one that was created in another folder is created again.
ifneq ($(shell cat .venv/.ready 2>/dev/null),$(CURDIR))
.PHONY: .venv/.ready
endif

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: .venv/.ready ## Create .venv from requirements.lock

.venv/.ready: requirements.lock setup.py scripts/bootstrap.lock scripts/setup.sh scripts/private_libc.sh
	@scripts/setup.sh

.PHONY: run
run: .venv/.ready ## Run the whole pipeline on the bundled sample
	@$(RUN) run --config configs/sample.yaml

.PHONY: goemotions
goemotions: .venv/.ready ## Run it on GoEmotions, downloaded unless the folder GOEMOTIONS=data/goemotions has it
	@.venv/bin/python -m benchmarks.fetch_goemotions "$(GOEMOTIONS)"
	@$(RUN) run --config configs/goemotions.yaml --set examples.input_base="$(GOEMOTIONS)"

.PHONY: flink-start
flink-start: .venv/.ready ## Start a Flink cluster on this machine (docs/beam.md)
	@scripts/flink.sh start

.PHONY: flink-stop
flink-stop: ## Stop the Flink cluster
	@scripts/flink.sh stop

.PHONY: test
test: check ## Run the checks and every test, two files at a time
	@.venv/bin/python -m pytest -n 2 --dist loadfile

.PHONY: test-faults
test-faults: .venv/.ready ## Kill, fill, cut and race everything; writes the table of docs/reliability.md; takes an hour or two, or some: FAULTS="cache signals"
	@.venv/bin/python -m tests.faults $(FAULTS)

.PHONY: test-fuzz
test-fuzz: .venv/.ready ## Fuzz every file that a stranger can hand over; EXAMPLES=2000 of each kind take ten minutes
	@FUZZ_EXAMPLES=$(EXAMPLES) .venv/bin/python -m pytest tests/fuzz -n 2 --dist load

# Apart from `test`: tracing lines takes half as much time again where tests spend theirs in Python.
.PHONY: coverage
coverage: .venv/.ready ## Run every test and print which lines no test runs, by module
	@.venv/bin/python -m pytest -n 2 --dist loadfile --cov

.PHONY: image
image: ## Build the container image with Docker or Podman; VARIANT=cpu, cuda or beam; IMAGE=its name
	@scripts/image.sh "$(IMAGE)" "$(VARIANT)"

.PHONY: test-image
test-image: .venv/.ready ## Build the image and use it as a cluster would; needs root and Podman or Docker, takes minutes
	@TEST_IMAGE=$(VARIANT) .venv/bin/python -m pytest tests/image -s

.PHONY: test-label-studio
test-label-studio: .venv/.ready ## Take a review through Label Studio itself, in an environment of its own; takes minutes
	@TEST_LABEL_STUDIO=1 .venv/bin/python -m pytest -q tests/serving/review/test_label_studio_server.py

.PHONY: test-kubeflow
test-kubeflow: .venv/.ready ## Run the sample on a real Kubeflow: ENDPOINT=http://... IMAGE=... (docs/kubeflow.md)
	@TEST_KUBEFLOW_ENDPOINT="$(ENDPOINT)" TEST_KUBEFLOW_IMAGE="$(if $(ENDPOINT),$(IMAGE))" TEST_KUBEFLOW_CLAIM="$(CLAIM)" \
		TEST_KUBEFLOW_VOLUME="$(VOLUME)" TEST_KUBEFLOW_HOST="$(HOST)" TEST_KUBEFLOW_NAMESPACE="$(NAMESPACE)" \
		.venv/bin/python -m pytest -s -q tests/runners/kubeflow/test_installation.py -k real

.PHONY: check
check: .venv/.ready ## Run ruff and mypy
	@.venv/bin/ruff check $(PYTHON_FILES)
	@.venv/bin/ruff format --check $(PYTHON_FILES)
	@.venv/bin/mypy

.PHONY: docs
docs: .venv/.ready ## Build the documentation into build/site; broken links are errors
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet
	@echo build/site/index.html

.PHONY: format
format: .venv/.ready ## Fix what ruff can fix, and format the code
	@.venv/bin/ruff check --fix $(PYTHON_FILES)
	@.venv/bin/ruff format $(PYTHON_FILES)

COMPILE = .venv/bin/uv pip compile setup.py --override requirements.overrides --python-version 3.11 \
	--python-platform x86_64-manylinux_2_39 --generate-hashes --no-emit-index-url --quiet --custom-compile-command "make lock"
# The image has the packages of requirements.lock, in the same versions, and what makes ONNX variants.
COMPILE_IMAGE = $(COMPILE) --extra onnx --constraint requirements.lock --no-annotate

.PHONY: lock
lock: .venv/.ready ## Resolve setup.py into the locks; UPGRADE=--upgrade takes newer versions
	@$(COMPILE) --extra dev $(UPGRADE) --output-file requirements.lock
	@$(COMPILE_IMAGE) image/cpu.in --override image/cpu.overrides $(UPGRADE) --output-file image/cpu.lock
	@$(COMPILE_IMAGE) image/cuda.in $(UPGRADE) --output-file image/cuda.lock

.PHONY: clean
clean: ## Delete runs/, what the sample and GoEmotions have written
	rm -rf runs
