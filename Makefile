# make demo   pre-train, detect and evaluate on composed rooms; results in demo_output/
# make test   all tests
# make docs   the site, in build/docs; warnings are errors
# make lint   ruff
# make types  mypy
# All set up their environment first. PYTHON chooses the interpreter, VENV the folder.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

.PHONY: demo test docs lint types clean

demo: $(READY)
	$(VENV)/bin/python tools/demo.py --out demo_output

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal

docs: $(READY)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[docs]'
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo "The site is in build/docs/index.html."

lint: $(READY)
	$(VENV)/bin/pip install --quiet ruff
	$(VENV)/bin/ruff check .

types: $(READY)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt mypy
	$(VENV)/bin/mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; assert (3, 10) <= sys.version_info < (3, 13), sys.version" || \
	    { echo "m2ae_mm needs Python 3.10 to 3.12; choose one with: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt pip setuptools wheel
	$(VENV)/bin/pip install --quiet --constraint constraints.txt torch
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[lite,test]'
	# Two OpenCV wheels share one folder; the headless one needs no graphics libraries of the system.
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	rm -f $(VENV)/.ready-*
	touch $@

clean:
	rm -rf $(VENV) demo_output
