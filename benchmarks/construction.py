"""Mesure la construction du site : parallèle contre MyST-NB seul, puis les reconstructions.

``python benchmarks/construction.py [--secondes 12]`` bâtit deux fois, à froid, le même livre de
trois chapitres de même durée : avec ``site_ext.execution``, puis avec MyST-NB seul (séquentiel). Il
écrit le rapport des durées murales, puis la durée des reconstructions du premier. Machine au repos :
les voisins faussent tout.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CHAPTERS = ("un", "deux", "trois")
PAGE = """\
---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---
(chap-{name})=
# Chapitre {name}

Du texte.

```{{code-cell}} ipython3
import torch
from course_lib.{name} import train
torch.set_num_threads(1)
print(round(train({n_steps}), 6))
```
"""
MODULE = """\
import torch


def train(n_steps):
    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(64, 128, generator=generator), torch.zeros(128, 128)
    for _ in range(n_steps):
        w = 0.999 * w + 1e-3 * torch.tanh(x @ w).T @ x
    return float(w.sum())
"""
CONFIG = """\
title: Mesure
only_build_toc_files: true
execute: {{execute_notebooks: cache, timeout: 600}}
sphinx:
  config: {{language: fr}}
  local_extensions: {extensions}
"""


def write_book(root: Path, *, parallel: bool, n_steps: int) -> None:
    """Écrit le livre de trois chapitres égaux et leur bibliothèque, un module par chapitre."""
    extensions = {"site_ext.execution": str(REPOSITORY)} if parallel else {}
    (root / "course_lib").mkdir(parents=True)
    (root / "course_lib" / "__init__.py").touch()
    for name in CHAPTERS:
        (root / f"{name}.md").write_text(PAGE.format(name=name, n_steps=n_steps), "utf-8")
        (root / "course_lib" / f"{name}.py").write_text(MODULE, "utf-8")
    (root / "index.md").write_text("# Accueil\n", "utf-8")
    (root / "_config.yml").write_text(CONFIG.format(extensions=extensions), "utf-8")
    toc = "".join(f"  - file: {name}\n" for name in CHAPTERS)
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{toc}", "utf-8")


def build(root: Path) -> float:
    """Construit le livre et rend la durée murale, en secondes."""
    paths = os.pathsep.join([str(root), str(REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(root)]
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def steps_lasting(seconds: float) -> int:
    """Rend le nombre de pas qui dure environ ``seconds`` ici, sur un fil."""
    import torch

    torch.set_num_threads(1)
    scope: dict = {}
    exec(MODULE, scope)
    scope["train"](500)
    started = time.perf_counter()
    scope["train"](2000)
    return round(seconds * 2000 / (time.perf_counter() - started))


def rebuilds(root: Path) -> dict[str, float]:
    """Rend la durée de chaque reconstruction, dans l'ordre d'une séance d'auteur."""
    durations = {"rien n'a changé": build(root)}
    page, module = root / "un.md", root / "course_lib" / "un.py"
    page.write_text(page.read_text("utf-8").replace("Du texte.", "De la prose."), "utf-8")
    durations["prose d'un chapitre"] = build(root)
    page.write_text(page.read_text("utf-8").replace("6))", "5))"), "utf-8")
    durations["une cellule"] = build(root)
    module.write_text(MODULE.replace("0.999", "0.998"), "utf-8")
    durations["une fonction de course_lib (un chapitre sur trois)"] = build(root)
    return durations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--secondes", type=float, default=12, help="durée visée d'un chapitre")
    n_steps = steps_lasting(parser.parse_args().secondes)
    with tempfile.TemporaryDirectory() as folder:
        roots = {kind: Path(folder) / kind for kind in ("parallèle", "séquentiel")}
        for kind, root in roots.items():
            write_book(root, parallel=kind == "parallèle", n_steps=n_steps)
        cold = {kind: build(root) for kind, root in roots.items()}
        for kind, seconds in cold.items():
            print(f"à froid, {kind} : {seconds:.1f} s")
        print(f"rapport : {cold['parallèle'] / cold['séquentiel']:.2f} (visé : 0,65 au plus)")
        for what, seconds in rebuilds(roots["parallèle"]).items():
            print(f"{what} : {seconds:.1f} s")


if __name__ == "__main__":
    main()
