"""Exécute et construit une seule page : la boucle de l'auteur.

    python tools/construire_chapitre.py chapters/vision/convolution.md

Les autres pages gardent leur dernière exécution et leurs fautes éventuelles ne comptent pas.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", nargs="?", type=Path, help="source MyST de la page")
    page = parser.parse_args().page
    if page is None or not page.is_file() or page.suffix != ".md":
        parser.error(
            f"« {page or ''} » n'est pas une page. Donnez une source MyST, par exemple "
            "make chapitre F=chapters/vision/convolution.md"
        )
    name = page.resolve().relative_to(ROOT)
    program = Path(sys.executable).with_name("jupyter-book")
    environment = {**os.environ, "COURSE_PAGES": name.as_posix()}
    command = [str(program), "build", str(ROOT), "--quiet"]
    code = subprocess.run(command, env=environment, check=False).returncode
    if code == 0:
        print(f"La page est prête : ouvrez _build/html/{name.with_suffix('.html').as_posix()}")
    return code


if __name__ == "__main__":
    sys.exit(main())
