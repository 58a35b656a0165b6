"""Les outils communs aux tests du site."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_book import Book, make_book


@pytest.fixture
def new_book(tmp_path: Path) -> Callable[..., Book]:
    """Rend la fabrique : ``new_book()`` écrit un livre neuf dans le dossier du test."""

    def factory(*extensions: str, **sphinx: object) -> Book:
        return make_book(tmp_path / "livre", *extensions, **sphinx)

    return factory
