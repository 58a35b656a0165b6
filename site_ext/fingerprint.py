"""L'empreinte d'une page : ce dont le résultat de ses cellules dépend.

Une page dépend de son code, des modules de ``course_lib`` que ses imports atteignent, des
versions du verrou et du profil. La précision est le module ; un ``__init__`` qui réexporte ne
relie la page qu'aux modules des noms qu'elle demande.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

EXECUTION_TAGS = {"raises-exception"}  # les seules étiquettes qui changent l'exécution
SETTINGS = ("COURSE_DEVICE", "COURSE_THREADS")
_CODE = {".py", ".pyc", ".pyi"}
Import = tuple[str, str | None]  # (module, nom demandé ; None : le module entier)


def page_fingerprint(notebook: NotebookNode, library: Library, environment: str) -> str:
    """Rend l'empreinte d'une page, en hexadécimal.

    ``library`` est le paquet dont on suit les imports, ``environment`` ce qui touche toutes les
    pages (voir ``environment_fingerprint``).
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = [
        [cell.source, sorted(EXECUTION_TAGS.intersection(cell.metadata.get("tags", [])))]
        for cell in cells
    ]
    reached = library.reached([cell.source for cell in cells])
    kernel = notebook.metadata.get("kernelspec", {}).get("name", "")
    return _digest(json.dumps([environment, kernel, code, sorted(reached)]).encode())


def environment_fingerprint(lock: Path, profile: str) -> str:
    """Rend l'empreinte de ce qui touche toutes les pages : verrou, profil, Python, appareil."""
    versions = lock.read_bytes() if lock.exists() else b""
    settings = [profile, *sys.version_info[:2], *(os.environ.get(name, "") for name in SETTINGS)]
    return _digest(versions + json.dumps(settings).encode())


class Library:
    """Les modules d'un paquet Python et leurs imports internes, lus sans rien exécuter."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.name = folder.name
        self._trees: dict[Path, ast.Module] = {}

    def tree(self, path: Path) -> ast.Module:
        """Rend l'arbre syntaxique d'un fichier, lu une seule fois."""
        if path not in self._trees:
            self._trees[path] = ast.parse(path.read_text(encoding="utf-8"))
        return self._trees[path]

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Le fichier de chaque module, par nom complet."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            parts = (self.name, *path.relative_to(self.folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    def reached(self, sources: list[str]) -> set[str]:
        """Rend les empreintes « fichier:condensé » de tout ce que ces cellules atteignent."""
        walk = _Walk(self)
        for source in sources:
            for module, name in self.imports(_parse_cell(source), package=None):
                walk.visit(module, name)
        return walk.reached

    def imports(self, tree: ast.AST, *, package: str | None) -> Iterator[Import]:
        """Énumère les imports internes au paquet, y compris relatifs, où qu'ils soient."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, None) for alias in node.names if self._owns(alias.name))
            elif isinstance(node, ast.ImportFrom):
                module = _absolute(node, package)
                if self._owns(module):
                    yield from ((module, alias.name) for alias in node.names)

    def _owns(self, module: str) -> bool:
        return module == self.name or module.startswith(self.name + ".")

    def reexports(self, package: str, tree: ast.Module) -> dict[str, Import]:
        """Rend ce que l'``__init__`` d'un paquet importe, par nom exposé."""
        return {
            alias.asname or alias.name: (_absolute(node, package), alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and self._owns(_absolute(node, package))
            for alias in node.names
        }

    def data_files(self, path: Path) -> list[Path]:
        """Rend les fichiers voisins qu'un module nomme, et ceux qu'aucun module ne nomme.

        Un fichier que personne ne nomme (nom calculé, lecture du dossier) compte pour tous les
        modules du dossier : mieux vaut réexécuter une page de trop qu'en garder une périmée.
        """
        neighbours = (file for file in path.parent.iterdir() if file.is_file())
        data = [file for file in neighbours if file.suffix not in _CODE]
        if not data:
            return []
        siblings = map(self.tree, path.parent.glob("*.py"))
        claimed = set().union(*map(_text_constants, siblings))
        named = _text_constants(self.tree(path))
        return sorted(file for file in data if file.name in named or file.name not in claimed)


class _Walk:
    """Le parcours des imports à partir d'une page."""

    def __init__(self, library: Library):
        self.library = library
        self.reached: set[str] = set()
        self._seen: set[tuple[str, str | None]] = set()

    def visit(self, module: str, name: str | None) -> None:
        path = self.library.modules.get(module)
        if path is None or (module, name) in self._seen:
            return
        self._seen.add((module, name))
        for parent in _parents(module):
            self._visit_package(parent, "")
        if path.name != "__init__.py" or name is None or name == "*":
            self._visit_file(module, path)
        else:
            self._visit_package(module, name)

    def _visit_file(self, module: str, path: Path) -> None:
        """Retient un fichier entier, ses données et tout ce qu'il importe."""
        tree = self.library.tree(path)
        for file in (path, *self.library.data_files(path)):
            self._add(file, file.read_bytes())
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for imported in self.library.imports(tree, package=package):
            self.visit(*imported)

    def _visit_package(self, package: str, name: str) -> None:
        """Suit un nom à travers un ``__init__`` ; n'en retient que le code qui n'est pas réexport.

        Avec un nom vide, ne retient que ce code : c'est ce qu'exécute l'import d'un sous-module.
        """
        path = self.library.modules.get(package)
        if path is None:
            return
        tree = self.library.tree(path)
        reexports = self.library.reexports(package, tree)
        if name in reexports:
            self.visit(*_submodule_first(self.library, reexports[name]))
        elif f"{package}.{name}" in self.library.modules:
            self.visit(f"{package}.{name}", None)
        elif name:
            self._visit_file(package, path)
        own = [node for node in tree.body if not _is_declaration(node)]
        self._add(path, "\n".join(ast.dump(node) for node in own).encode())
        for node in own:
            for used in ast.walk(node):
                if isinstance(used, ast.Name) and used.id in reexports:
                    self.visit(*_submodule_first(self.library, reexports[used.id]))

    def _add(self, path: Path, content: bytes) -> None:
        name = path.relative_to(self.library.folder).as_posix()
        self.reached.add(f"{name}:{_digest(content)}")


def _parents(module: str) -> Iterator[str]:
    while module := module.rpartition(".")[0]:
        yield module


def _submodule_first(library: Library, imported: Import) -> Import:
    """``from .a import b`` désigne le module ``a.b`` s'il existe, sinon le nom ``b`` de ``a``."""
    module, name = imported
    return (f"{module}.{name}", None) if f"{module}.{name}" in library.modules else imported


def _is_declaration(node: ast.stmt) -> bool:
    """Vrai pour un import, une docstring ou ``__all__`` : rien qui change un résultat."""
    if isinstance(node, ast.Assign):
        return any(isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets)
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)


def _absolute(node: ast.ImportFrom, package: str | None) -> str:
    if not node.level:
        return node.module or ""
    parts = (package or "").split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _text_constants(tree: ast.Module) -> set[str]:
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {Path(value).name for value in constants if isinstance(value, str)}


def _parse_cell(source: str) -> ast.Module:
    """Lit une cellule, magies d'IPython comprises ; une cellule illisible n'importe rien."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
