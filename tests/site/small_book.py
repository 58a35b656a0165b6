"""Un petit livre, bâti pour de vrai par ``jupyter-book build`` dans un dossier temporaire.

``make_book(dossier)`` rend un livre de trois chapitres et d'un ``course_lib`` miniature ; on écrit ou
change une page, une fonction, puis on appelle ``book.build()``. ``book.executed_pages()`` dit quelles
pages ont été exécutées depuis le dernier appel : la première cellule de chacune le note.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]

HEADER = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
JOURNAL_CELL = """\
import os
with open(os.environ["JOURNAL_DU_TEST"], "a") as journal:
    journal.write(os.environ["COURSE_CHAPTER"] + "\\n")"""
LIBRARY = {
    "__init__.py": '"""Paquet miniature."""\n',
    "base.py": "def one():\n    return 1\n",
    "data/__init__.py": (
        "from course_lib.data.digits import load_digits\n"
        "from course_lib.data.toys import make_toys\n"
        '__all__ = ["load_digits", "make_toys"]\n'
    ),
    "data/digits.py": "from ..base import one\n\n\ndef load_digits():\n    return one() + 1\n",
    "data/toys.py": "def make_toys():\n    return 3\n",
    "plotting.py": "from pathlib import Path\n\nSTYLE = Path(__file__).with_name('a.mplstyle')\n",
    "a.mplstyle": "axes.grid: true\n",
}
CHAPTERS = {
    "chapters/un": "from course_lib.data import load_digits\nprint(load_digits())",
    "chapters/deux": "from course_lib.data import make_toys\nprint(make_toys())",
    "chapters/trois": "import course_lib.plotting\nprint('sans données')",
}
EXTENSIONS = ("execution", "controle", "couverture")


def children_seconds() -> float:
    """Temps de processeur des fils : une machine occupée ailleurs ne le change pas."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True)
class Build:
    """Le résultat d'une construction : code de sortie, texte écrit, secondes de processeur."""

    code: int
    output: str
    seconds: float


@dataclass
class Book:
    """Un livre dans ``root``, que l'on modifie puis construit."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def html(self) -> Path:
        return self.root / "_build" / "html"

    @property
    def journal(self) -> Path:
        return self.root / "journal.txt"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_chapter(self, docname: str, *cells: str, prose: str = "Du texte.") -> Path:
        """Écrit un chapitre juste : en-tête, étiquette, titre, prose, cellules."""
        blocks = [f"```{{code-cell}} ipython3\n{cell}\n```" for cell in (JOURNAL_CELL, *cells)]
        slug = docname.rpartition("/")[2]
        title = f"(chap-{slug})=\n# Chapitre {slug}\n\n{prose}"
        return self.write(f"{docname}.md", HEADER + "\n\n".join([title, *blocks]) + "\n")

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} est absent de {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write_toc(self, *docnames: str) -> None:
        chapters = [{"file": docname} for docname in docnames]
        toc = {"format": "jb-book", "root": "index", "chapters": chapters}
        self.write("_toc.yml", yaml.safe_dump(toc, sort_keys=False))

    def write_config(self, *extensions: str, **sphinx: object) -> None:
        """Écrit ``_config.yml`` avec ces extensions de ``site_ext`` et ces réglages de Sphinx."""
        local = {f"site_ext.{name}": str(REPOSITORY) for name in extensions}
        config = {
            "title": "Petit livre",
            "only_build_toc_files": True,
            "execute": {"execute_notebooks": "cache", "timeout": 60},
            "parse": {"myst_enable_extensions": ["colon_fence", "dollarmath"]},
            "bibtex_bibfiles": ["references.bib"],
            "sphinx": {
                "extra_extensions": ["sphinx_exercise", "sphinxcontrib.bibtex"],
                "local_extensions": local,
                "config": {"language": "fr", "bibtex_reference_style": "author_year", **sphinx},
            },
        }
        self.write("_config.yml", yaml.safe_dump(config))

    def command(self, *options: str) -> list[str]:
        return [
            str(Path(sys.executable).with_name("jupyter-book")),
            "build",
            str(self.root),
            *options,
        ]

    def variables(self, **changes: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")}
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join([str(self.root), str(REPOSITORY)]),
            "JOURNAL_DU_TEST": str(self.journal),
            "PYTHONWARNINGS": "ignore",  # le fils n'hérite pas du « -W error » de pytest
            **self.environment,
            **changes,
        }

    def build(self, *options: str, **variables: str) -> Build:
        """Construit le livre comme le fait un lecteur : ``jupyter-book build``."""
        before = children_seconds()
        done = subprocess.run(
            self.command(*options),
            env=self.variables(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return Build(done.returncode, done.stdout, children_seconds() - before)

    def start(self, **variables: str) -> subprocess.Popen:
        """Lance une construction sans l'attendre, pour l'interrompre."""
        return subprocess.Popen(
            self.command(),
            env=self.variables(**variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def executed_pages(self) -> list[str]:
        """Rend, triées, les pages exécutées depuis le dernier appel."""
        pages = self.journal.read_text().split() if self.journal.exists() else []
        self.journal.unlink(missing_ok=True)
        return sorted(pages)

    def page(self, docname: str) -> str:
        return (self.html / f"{docname}.html").read_text(encoding="utf-8")


def make_book(root: Path, *extensions: str, **sphinx: object) -> Book:
    """Écrit un livre de trois chapitres justes et rapides.

    ``extensions`` : celles de ``site_ext`` (« execution », « controle » et « couverture » à
    défaut) ; ``sphinx`` : réglages de Sphinx.
    """
    book = Book(root)
    book.write_config(*(extensions or EXTENSIONS), **sphinx)
    book.write("index.md", "# Accueil\n\nBonjour.\n")
    book.write("references.bib", "")
    book.write("requirements.lock", "torch==2.13\n")
    for name, text in LIBRARY.items():
        book.write(f"course_lib/{name}", text)
    for docname, cell in CHAPTERS.items():
        book.write_chapter(docname, cell)
    book.write_toc(*CHAPTERS)
    return book
