"""Les pages comme paramètres, et ce que la construction a produit."""

from pathlib import Path

import nbformat
import pytest
from livre import CHAPTERS, PAGES, ROOT
from nbformat import NotebookNode


def pytest_generate_tests(metafunc):
    for name, pages in (("page", PAGES), ("chapter", CHAPTERS)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, pages, ids=[page.docname for page in pages])


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def executed():
    """Rend le carnet exécuté d'une page ; la construction doit avoir eu lieu."""

    def load(docname: str) -> NotebookNode:
        path = ROOT / "_build" / "executes" / f"{docname}.ipynb"
        assert path.is_file(), f"{path} manque : lancez d'abord « make site »."
        return nbformat.read(path, as_version=4)

    return load


@pytest.fixture(scope="session")
def built_html():
    """Rend le HTML construit d'une page."""

    def load(docname: str) -> str:
        path = ROOT / "_build" / "html" / f"{docname}.html"
        assert path.is_file(), f"{path} manque : lancez d'abord « make site »."
        return path.read_text("utf-8")

    return load
