"""Renouvelle requirements.lock : installe le projet dans un environnement neuf, note les versions.

Avec `--torch=2.13.0`, impose la version de PyTorch (par exemple celle d'une roue pour processeur).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = "# Versions exactes du site, pour Python 3.11 à 3.13 : « make verrou » les renouvelle."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", default="", help="version de PyTorch à imposer")
    torch = parser.parse_args().torch
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        scripts = "Scripts" if sys.platform == "win32" else "bin"
        pip = [str(Path(folder, scripts, "python")), "-m", "pip"]
        first = ["setuptools", "wheel", f"torch=={torch}" if torch else "torch"]
        subprocess.run([*pip, "install", "--quiet", *first], check=True)
        subprocess.run([*pip, "install", "--quiet", "--editable", f"{ROOT}[test]"], check=True)
        freeze = [*pip, "freeze", "--all", "--exclude-editable"]
        versions = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    lines = [line.split("+")[0] for line in versions.splitlines() if not line.startswith("pip==")]
    (ROOT / "requirements.lock").write_text("\n".join([HEADER, *lines]) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
