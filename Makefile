# make demo   pre-train, detect and evaluate on composed rooms; results in demo_output/
# make test   all tests
# make docs   the site, in build/docs; warnings are errors
# make lint   ruff
# make types  mypy
# All set up their environment first. PYTHON chooses the interpreter, VENV the folder.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

# pip would show warnings that setuptools has for those who build packages.
PIP := PYTHONWARNINGS=ignore $(VENV)/bin/pip install --quiet --constraint constraints.txt

.PHONY: demo test docs lint types clean

demo: $(READY)
	$(VENV)/bin/python tools/demo.py --out demo_output

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal

docs: $(READY)
	$(PIP) --no-build-isolation --editable '.[docs]'
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo "The site is in build/docs/index.html."

lint: $(READY)
	$(PIP) ruff
	$(VENV)/bin/ruff check .

types: $(READY)
	$(PIP) mypy
	$(VENV)/bin/mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; assert (3, 10) <= sys.version_info < (3, 13), sys.version" || \
	    { echo "m2ae_mm needs Python 3.10 to 3.12; choose one with: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) pip setuptools wheel
	$(PIP) torch
	$(PIP) --no-build-isolation --editable '.[lite,test]'
	# Two OpenCV wheels share one folder; the headless one needs no graphics libraries of the system.
	$(PIP) --force-reinstall --no-deps opencv-python-headless
	rm -f $(VENV)/.ready-*
	touch $@

clean:
	rm -rf $(VENV) demo_output
