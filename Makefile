# Driftline. `make help` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# That of a distribution is compiled by profile, others seldom are: of three test files it takes a tenth less.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
PACKAGES := .venv/.packages
STAMP := .venv/.setup
ARGS ?=
KAFKA ?=
SEED ?= $(shell date +%s)
CAMPAIGN ?= 2000
MESSAGES ?= 1000000
REPETITIONS ?= 10000
# What may differ without the compiled core. Left out is what has none of it (arithmetic, tests of the simulator itself,
# the worker, and banks in Python: the first session tries them beside their twins), what was given the engine in Python
# before, and statistics of detectors and of healthy weeks: they lie in numbers, which the first session holds to be the
# same to the last bit. tests/test_sessions.py holds the list to it.
PURE := $(patsubst %,tests/detectors/test_%.py,calibration conformance sweep) tests/sim tests/engine tests/alerts \
	tests/kafka/test_log.py tests/kafka/test_log_members.py --beside-the-core --ignore tests/alerts/test_unusable.py \
	-k "not either_engine and not fifty_healthy and not state_stays_small and not any_cut_growth and not rows_do_not_know" \
	$(patsubst %,--deselect tests/sim/test_simulation.py::test_%,a_broken_worker_is_caught a_label_that_is_joined_twice_is_caught \
	a_batch_that_kills_whoever_reads_it_is_skipped without_a_word_before_it_reads_nobody_gets_past_it \
	a_worker_that_breaks_what_goes_in_parts_is_caught a_worker_that_merely_breaks_does_not_count_as_caught \
	records_that_cannot_be_used_are_told_exactly_once) \
	$(patsubst %,--deselect tests/sim/test_parts.py::test_%,a_snapshot_that_loses_a_part_is_caught what_is_carried_is_there_whatever_fails) \
	$(patsubst %,--deselect tests/sim/test_commands.py::test_%,who_comes_back_and_has_forgotten_commands_or_the_gap_is_caught) \
	$(patsubst %,--deselect tests/sim/test_two_stages.py::test_%,who_loses_or_repeats_records_of_the_ordered_log_is_caught)
# Empty is unset. A new .venv holds no compiled modules, and a hundred processes that the tests start would each compile
# all they import anew: 1 s of a processor instead of a third.
export PYTHONDONTWRITEBYTECODE :=
LOCK := --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help setup test checked collected lint lint-python lint-rust docs demo kafka bench bench-peers bench-scale bench-quality bench-labels soak lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## .venv with everything in it; instant when nothing changed

$(PACKAGES): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv \
		|| { echo "cannot make .venv: on Debian and Ubuntu, apt-get install python3-venv, then again"; exit 1; }
	@echo "setting up .venv, a minute or two the first time: packages ..."
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(STAMP): $(PACKAGES) pyproject.toml schemas/native/Cargo.toml $(shell find schemas/native/src -name "*.rs")
	@echo "$$(command -v cargo >/dev/null && echo "... the compiled core ..." || echo "... no cargo here, so without the compiled core ...")"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'from schemas.core import native, why_not; print("compiled core:", "yes" if native else "no, " + why_not)'
	@touch $@

# Clippy needs nothing of the .venv: it has one processor while pip fills that with the other. mypy has the stub of the
# compiled core: it looks at all while that is built.
lint: ## style and types
	@$(MAKE) --no-print-directory -j 2 lint-python lint-rust

# Of a new checkout nothing is compiled, and each of the eight processes that collect the tests would compile all of it
# and of its packages: 16 s of a processor instead of 5. So one does it, while mypy has the other processor.
checked:
	@$(MAKE) --no-print-directory -j 2 lint-python lint-rust collected

collected: setup
	@said=$$($(BIN)/pytest -qqq --collect-only 2>&1) || { echo "$$said"; exit 1; }

lint-python: $(PACKAGES)
	$(BIN)/ruff check .
	$(BIN)/mypy

lint-rust:
	@if cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1; then \
		cd schemas/native && cargo fmt --check && cargo clippy --quiet --release -- -D warnings; \
	else echo "cargo with rustfmt and clippy is not here: the compiled core was not linted"; fi

test: checked ## lint, types, unit, property, simulation and, with Java 17+ and Maven, the real-broker tests
	$(BIN)/pytest -q -n 5 --dist loadgroup --durations 5 $(ARGS)
	@echo "once more without the compiled core, the simulator with the next seeds:"
	DRIFTLINE_NATIVE=0 DRIFTLINE_FIRST_SEED=40 DRIFTLINE_SEEDS=5 $(BIN)/pytest -q -n 3 --dist loadgroup --durations 5 $(PURE)

docs: setup ## the generated parts of the READMEs, from the live tables
	@$(BIN)/python -m tests.docs

demo: setup ## the main job on one screen; ARGS=--exit ends by itself, ARGS=--people is about review, KAFKA=host:9092 uses a real broker
	@$(BIN)/driftline demo $(if $(KAFKA),--brokers $(KAFKA)) $(ARGS)

kafka: setup ## the tests' Apache Kafka in the foreground (KAFKA_PORT, default 9092)
	@$(BIN)/python -m tests.broker.broker

bench: setup ## the figures of benchmarks/README.md, some 10 minutes; ARGS="--events 4000 --rounds 1 --cases s10,s50" is quick
	$(BIN)/python benchmarks/bench.py $(if $(KAFKA),--kafka $(KAFKA)) $(ARGS)

bench-peers: setup ## quixstreams and bytewax with river next to Driftline, each in its own environment under build/
	$(BIN)/python benchmarks/peers.py $(if $(KAFKA),--kafka $(KAFKA)) $(ARGS)

bench-scale: setup ## a million series; 1, 2 and 3 processes over 12 partitions, by topic and by model; ARGS="--events 12000" is quick
	$(BIN)/python -m benchmarks.scale $(if $(KAFKA),--kafka $(KAFKA)) $(ARGS)

bench-quality: setup ## quiet on healthy weeks, quick on faults, some 15 minutes; ARGS="--quick" under 2; ARGS="--data DIR" adds data sets
	$(BIN)/python -m benchmarks.quality.bench $(ARGS)

LABELS := scikit-learn==1.9.1 matplotlib==3.11.2
bench-labels: setup ## late labels of real tables, estimated and realised error, pictures in build/; ARGS="--data DIR"
	@test -d build/labels || $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --target build/labels $(LABELS)
	$(BIN)/python -m benchmarks.quality.late_labels $(ARGS)

# Whatever has a long form is found by what it asks for.
LONGER := 'DRIFTLINE_REPETITIONS|labelled import .*SEEDS|shifts import .*REPETITIONS'
soak: setup ## the long campaign: every scenario over ten seeds, CAMPAIGN simulator seeds, REPETITIONS of statistical tests, 30 and 50 kills on a real broker, MESSAGES mutated records from a printed SEED on
	$(BIN)/driftline test --seeds 10 tests/scenarios
	@echo "seeds from $(SEED); repeat with: make soak SEED=$(SEED)"
	DRIFTLINE_FIRST_SEED=$(SEED) DRIFTLINE_SEEDS=$(CAMPAIGN) $(BIN)/pytest -q -n 2 tests/sim
	DRIFTLINE_FIRST_SEED=$(SEED) DRIFTLINE_REPETITIONS=$(REPETITIONS) $(BIN)/pytest -q -n 2 $$(grep -rlE $(LONGER) --include 'test_*.py' tests)
	DRIFTLINE_REPETITIONS=$(REPETITIONS) $(BIN)/pytest -q -n 2 -m hypothesis
	DRIFTLINE_KILLS=30 DRIFTLINE_EVENTS=2000000 DRIFTLINE_SECONDS=510 $(BIN)/pytest -q -s -o faulthandler_timeout=0 tests/kafka/test_thirty_kills.py
	DRIFTLINE_PEOPLE_KILLS=50 $(BIN)/pytest -q tests/kafka/test_one_record.py
	DRIFTLINE_FIRST_SEED=$(SEED) DRIFTLINE_FUZZ=$(MESSAGES) $(BIN)/pytest -q $(patsubst %,tests/schemas/events/test_%.py,mapping_fuzz fuzz decoder)

lock: setup ## requirements*.txt and the crates of Cargo.toml anew: every version and hash, no address
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-lock.txt
	echo uv | $(BIN)/uv pip compile $(LOCK) - -o requirements-lock.txt
	$(BIN)/uv pip compile $(LOCK) --extra dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK) -c requirements-dev.txt --extra registry pyproject.toml -o requirements.txt
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(BIN)/uv pip compile $(LOCK) -c requirements-dev.txt - -o requirements-build.txt
	$(BIN)/python deploy/crates.py --write

clean: ## everything that can be made again
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache
