"""Ce que la configuration du thème ne sait pas corriger, appliqué au HTML fini de chaque page."""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from site_ext import amend_article as article
from site_ext import amend_interface as interface
from site_ext.mathematiques import VISUAL

AMENDMENTS = (
    interface.amend_landmarks,
    interface.amend_icons,
    interface.amend_menus,
    interface.amend_names,
    interface.amend_language,
    article.amend_cells,
    article.amend_exercises,
    article.amend_wrappers,
    article.amend_proofs,
    article.amend_folds,
    article.amend_tables,
    article.amend_bibliography,
    interface.amend_head,
)
ACCESSIBILITY_PAGE = "chapters/annexes/accessibilite"
TERMS = Path(__file__).with_name("termes_anglais.txt")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
FIGURE_DPI = 144  # résolution des figures du cours (course.mplstyle)
DISPLAY_DPI = 96  # affichées à cette résolution : 10 points y font 13 pixels

# Règles et polices des deux mille icônes retirées : un tiers de la CSS du thème.
ICON_RULES = re.compile(r"[^{}]*\.fa-[^{}]*\{[^{}]*\}|@font-face\{[^{}]*fontawesome[^{}]*\}")

# L'extrait d'un résultat de recherche : l'article seul, et chaque formule une fois, pas trois.
SEARCH_PATCHES = {
    '[".headerlink", "script", "style"]': '[".headerlink", "script", "style", ".katex-mathml"]',
    '`[role="main"] ${anchor}`': "`article ${anchor}`",
    "querySelector('[role=\"main\"]')": 'querySelector("article")',
}


def png_display_size(path: Path) -> tuple[int, int] | None:
    """Rend la taille d'affichage d'une image PNG, en pixels CSS : réduite pour une figure du cours.

    **Formes** : (largeur, hauteur) ; rien si le fichier n'est pas un PNG.
    """
    data = path.read_bytes()[:4096] if path.is_file() else b""
    if not data.startswith(PNG_SIGNATURE) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    position = data.find(b"pHYs")
    per_meter = struct.unpack(">I", data[position + 4 : position + 8])[0] if position > 0 else 0
    scale = FIGURE_DPI / DISPLAY_DPI if round(per_meter * 0.0254) == FIGURE_DPI else 1
    return round(width / scale), round(height / scale)


def english_terms(path: Path = TERMS) -> frozenset[str]:
    """Rend les termes anglais que le cours emploie en italique, un par ligne."""
    return frozenset(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())


def amend_page(
    html: str,
    *,
    accessibility_url: str | None = None,
    image_size: Callable[[str], tuple[int, int] | None] = lambda source: None,
    terms: frozenset[str] = frozenset(),
) -> str:
    """Corrige une page finie ; `image_size` rend la taille d'affichage d'une image de la page."""
    formulas: list[str] = []
    soup = BeautifulSoup(_set_formulas_aside(html, formulas), "html.parser")
    interface.amend_footer(soup, accessibility_url)
    article.amend_figures(soup, image_size)
    article.amend_english(soup, terms)
    for amend in AMENDMENTS:
        amend(soup)
    return re.sub("<!--formule (\\d+)-->", lambda match: formulas[int(match[1])], str(soup))


def _set_formulas_aside(html: str, formulas: list[str]) -> str:
    """Remplace par un repère la partie visuelle de chaque formule : la page se lit 5 fois plus vite."""

    def keep(match: re.Match) -> str:
        formulas.append(match[1])
        return f"<!--formule {len(formulas) - 1}-->"

    return re.sub(f"{VISUAL[0]}(.*?){VISUAL[1]}", keep, html, flags=re.S)


def wrap_templates(app: Sphinx) -> None:
    """Fait passer chaque page rendue par `amend_page`."""
    if app.builder.format != "html" or getattr(app.builder, "templates", None) is None:
        return
    render, terms = app.builder.templates.render, english_terms()

    def image_size(source: str) -> tuple[int, int] | None:
        name = unquote(source.rsplit("/", 1)[-1])
        found = [path for path, copied in app.builder.images.items() if copied == name]
        return png_display_size(Path(app.srcdir, found[0])) if found else None

    def render_amended(template: str, context: dict) -> str:
        html = render(template, context)
        if not html.lstrip().startswith("<!DOCTYPE"):  # un fragment, que sa page reprendra
            return html
        known = ACCESSIBILITY_PAGE in app.env.found_docs
        url = context["pathto"](ACCESSIBILITY_PAGE) if known else None
        try:
            return amend_page(html, accessibility_url=url, image_size=image_size, terms=terms)
        except ValueError as error:
            raise ExtensionError(f"Page {context.get('pagename', '?')} : {error}") from error

    app.builder.templates.render = render_amended


def lighten_css(css: str) -> str:
    """Retire d'une feuille de style les règles des icônes et leurs polices."""
    return ICON_RULES.sub("", css)


def patch_search(script: str) -> str:
    """Corrige l'extrait affiché sous un résultat de recherche.

    **Lève** ``ValueError`` si le script de Sphinx n'est plus celui que l'on corrige.
    """
    for old, new in SEARCH_PATCHES.items():
        if old not in script:
            raise ValueError(f"searchtools.js a changé : revoyez « {old} » dans SEARCH_PATCHES.")
        script = script.replace(old, new)
    return script


def finish_static_files(app: Sphinx, exception: Exception | None) -> None:
    """Allège la CSS, corrige la recherche, retire les fichiers que plus aucune page ne charge."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    for path in static.glob("styles/pydata-sphinx-theme.css"):
        path.write_text(lighten_css(path.read_text("utf-8")), "utf-8")
    search = static / "searchtools.js"
    if not (script := search.read_text("utf-8")).count(".katex-mathml"):
        search.write_text(patch_search(script), "utf-8")
    # theme.css ne fait qu'importer basic.css : la mettre à sa place épargne un aller-retour
    shutil.copyfile(static / "basic.css", static / "styles" / "theme.css")
    unused = [*static.glob("scripts/fontawesome.js*"), *static.glob("scripts/bootstrap.js*")]
    for path in [*unused, *static.glob("vendor/fontawesome/**/*.*"), *static.glob("**/*.map")]:
        path.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    """Branche les corrections ; changer ce module fait réécrire toutes les pages."""
    # Jupyter Book règle toujours cette valeur, même sans l'extension qui la déclare.
    app.add_config_value("comments_config", {}, "html")
    app.add_config_value("theme_version", theme_version(), "html")
    app.connect("builder-inited", wrap_templates, priority=900)
    app.connect("build-finished", finish_static_files, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def theme_version() -> int:
    """Rend une empreinte des corrections : différente, elle fait réécrire toutes les pages."""
    folder = Path(__file__).parent
    names = ("theme.py", "amend_article.py", "amend_interface.py", "termes_anglais.txt")
    return zlib.crc32(b"".join((folder / name).read_bytes() for name in names))
