# Deux commandes : « make site » construit, « make test » vérifie tout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := $(BIN)/jupyter-book build . -W -n --keep-going

.PHONY: site test chapitre liens verrou propre

site: $(VENV)/pret
	$(BUILD)
	@echo "Le site est prêt : ouvrez _build/html/index.html"

test: site
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto tests
	$(BIN)/python -m pytest -n auto --dist loadfile --nbval _build/executes

chapitre: $(VENV)/pret  # make chapitre F=chapters/fondations/perceptron.md
	$(BIN)/python tools/construire_chapitre.py $(F)

liens: $(VENV)/pret
	$(BIN)/jupyter-book build . --builder linkcheck

verrou:  # renouvelle requirements.lock avec les versions les plus récentes que permet pyproject.toml
	$(PYTHON) tools/verrouiller.py

propre:
	rm -rf _build

$(VENV)/pret: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@
