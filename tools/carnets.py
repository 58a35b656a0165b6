"""Écrit les carnets d'un ou de plusieurs chapitres : complets, ou pour les étudiants.

    python tools/carnets.py chapters/vision/convolution.md --etudiant --dossier carnets

Les nombres cités viennent de la dernière construction (`make site`) ; sans elle, des points de suspension.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # site_ext n'est pas installé : il accompagne les sources

from site_ext.carnets import make_notebook  # noqa: E402
from site_ext.lancement import notebook_context, notebook_name  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapitres", nargs="+", type=Path, help="pages MyST")
    parser.add_argument("--etudiant", action="store_true", help="sans les solutions")
    parser.add_argument("--dossier", type=Path, default=Path("carnets"), help="où écrire")
    arguments = parser.parse_args()
    for page in arguments.chapitres:
        if not page.is_file():
            parser.error(f"« {page} » n'est pas un fichier : donnez une page de chapters/.")
        docname = page.resolve().relative_to(ROOT).with_suffix("").as_posix()
        context = notebook_context(ROOT, docname)
        notebook = make_notebook(page.read_text("utf-8"), context, student=arguments.etudiant)
        target = arguments.dossier / notebook_name(docname, student=arguments.etudiant)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
