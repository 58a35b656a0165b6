"""Corrections de l'interface : ce que le thème écrit autour de l'article, et dans l'en-tête du fichier.

Chaque `amend_*` reçoit la page analysée et la modifie sur place. Recopier les gabarits du thème serait
plus long, et à refaire à chaque version.
"""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag

# Fichiers que le thème et les extensions chargent partout : gardés si la page contient le sélecteur.
NEEDED_BY = {
    "fontawesome.js": None,  # 540 ko gzip d'icônes, dont nous redessinons la quinzaine employée
    "bootstrap.js": None,  # infobulles et menus : remplacés par title et <details>
    "searchtools.js": "#search-results",
    "language_data.js": "#search-results",
    "searchindex.js": "#search-results",
    "translations.js": "#search-results, .highlight pre",
    "design-tabs.js": ".sd-tab-set",
    "sphinx-design.min.css": "[class^='sd-'], [class*=' sd-']",
    "katex.css": ".katex",
    "mathematiques.": ".katex",
    "quiz.": ".quiz",
    "exercise.css": None,  # remplacées par _static/cours.css
    "proof.css": None,
    "clipboard.min.js": ".highlight pre",
    "copybutton.": ".highlight pre",
    "mystnb.": ".cell",
}

# Choisit le thème avant le premier affichage ; le reste est dans le script du thème.
EARLY_THEME = """(() => {
  const root = document.documentElement;
  let mode = null;
  try { mode = localStorage.getItem("mode"); } catch {}
  mode = ["light", "dark"].includes(mode) ? mode : "auto";
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.mode = mode;
  root.dataset.theme = mode === "auto" ? (dark ? "dark" : "light") : mode;
})();"""

ICONS = {
    "fa-angle-left": "gauche",
    "fa-angle-right": "droite",
    "fa-bars": "menu",
    "fa-chevron-down": "bas",
    "fa-circle-half-stroke": "auto",
    "fa-download": "telecharger",
    "fa-list": "liste",
    "fa-magnifying-glass": "loupe",
    "fa-moon": "lune",
    "fa-rocket": "lancer",
    "fa-sun": "soleil",
}

INTERFACE = {
    "Main": "Chapitres",
    "Page": "Sur cette page",
    "Recherche": "Rechercher",
    "Section Navigation": "Dans cette partie",
    "Toggle primary sidebar": "Menu du cours",
    "Toggle secondary sidebar": "Sur cette page",
    "précédente": "Page précédente",
    "suivante": "Page suivante",
}
NAMING_ATTRIBUTES = ("title", "aria-label", "alt", "placeholder", "data-bs-title")

EMPTY_PARTS = (
    "#jb-print-docs-body",  # double du titre et du sommaire
    ".pst-async-banner-revealer",
    "#ethical-ad-placement",
    ".bd-footer-content",
    "footer.bd-footer-article",
    ".sidebar-header-items",
)


def amend_head(soup: BeautifulSoup) -> None:
    """Retire ce que la page n'emploie pas, diffère les scripts, choisit le thème avant l'affichage."""
    searching = soup.select_one("#search-results")
    for element in soup.select("script[src], link[rel=stylesheet], link[rel=preload]"):
        name = element.get("src") or element.get("href", "")
        selectors = [needed for part, needed in NEEDED_BY.items() if f"/{part}" in f"/{name}"]
        if element.get("rel") == ["preload"] or any(
            not needed or not soup.select_one(needed) for needed in selectors
        ):
            element.decompose()
        elif element.name == "script" and "documentation_options.js" not in name and not searching:
            element["defer"] = ""  # sauf les options, que les scripts de la page lisent aussitôt
    for duplicate in soup.select("meta[name=viewport]")[1:]:
        duplicate.decompose()
    for useless in soup.select("meta[name^='docsearch:']"):
        useless.decompose()
    if early := soup.select_one("script[data-cfasync]"):
        early.string = EARLY_THEME
    if soup.html:
        soup.html["data-theme"] = "light"  # sans JavaScript, la coloration du code en dépend


def amend_icons(soup: BeautifulSoup) -> None:
    """Remplace chaque icône de la police retirée par la nôtre ; refuse celle qui n'est pas dessinée."""
    for old in soup.select("i[class*='fa-'], span[class*='fa-']"):
        names = [name for name in old["class"] if name in ICONS]
        if not names:
            raise ValueError(
                f"Icône « {' '.join(old['class'])} » non dessinée : ajoutez-la à ICONS "
                "(site_ext/amend_interface.py) et à _static/cours.css."
            )
        kept = [name for name in old["class"] if not name.startswith(("fa-", "fas", "fab"))]
        old.name = "span"
        old["class"] = ["icone", f"icone-{ICONS[names[0]]}", *kept]
        old["aria-hidden"] = "true"
        del old["title"]


def amend_language(soup: BeautifulSoup) -> None:
    """Traduit ou corrige les mots d'interface, hors de l'article."""
    for element in soup.find_all(True):
        if element.find_parent("article"):
            continue
        for name in NAMING_ATTRIBUTES:
            if (value := element.get(name)) in INTERFACE:
                element[name] = INTERFACE[value]
        for text in element.find_all(string=True, recursive=False):
            if (word := text.strip()) in INTERFACE:
                text.replace_with(text.replace(word, INTERFACE[word]))


def amend_names(soup: BeautifulSoup) -> None:
    """Donne à chaque bouton, repli et dialogue un nom qui commence par ce qu'on y lit."""
    for button in soup.select("[data-bs-toggle]"):
        for name in [name for name in button.attrs if name.startswith("data-bs-")]:
            del button[name]
    for button in soup.select(".search-button-field"):
        del button["aria-label"], button["title"]
    for button in soup.select(".theme-switch-button"):
        button["aria-label"] = button["title"] = "Thème clair, sombre ou automatique"
    for button in soup.select("button[title]:not([aria-label])"):
        button["aria-label"] = button["title"]
    for link in soup.select(".prev-next-area a"):
        del link["title"]
    for summary in soup.select("details.hide > summary"):
        del summary["aria-label"]
        for line in summary.find_all("p"):
            line.name = "span"
    for summary in soup.select("nav li.has-children > details > summary"):
        link = summary.find_parent("li").find("a")
        summary["aria-label"] = f"Déplier « {link.get_text(strip=True)} »" if link else "Déplier"
    names = {
        "pst-search-dialog": "Rechercher",
        "pst-primary-sidebar-modal": "Menu du cours",
        "pst-secondary-sidebar-modal": "Sur cette page",
    }
    for identifier, name in names.items():
        if dialog := soup.find(id=identifier):
            dialog["aria-label"] = name


def amend_menus(soup: BeautifulSoup) -> None:
    """Remplace le menu déroulant à script par un <details>, qui s'ouvre aussi au clavier."""
    for menu in soup.select(".article-header-buttons > div.dropdown"):
        button, items = menu.find("button"), menu.find("ul")
        menu.name, menu["class"] = "details", ["menu-lancement"]
        button.name, button.attrs = "summary", {"class": ["btn"], "title": button["aria-label"]}
        button["aria-label"] = button["title"]
        items["class"] = ["menu-lancement__liste"]
        for link in items.find_all("a"):
            link.attrs = {"href": link["href"]}
            for icon in link.select(".btn__icon-container"):
                icon.decompose()
            if link["href"].startswith("http"):
                link["rel"] = "noopener"
            else:
                link["download"] = ""


def amend_landmarks(soup: BeautifulSoup) -> None:
    """Range tout dans un repère nommé ; retire les repères vides et le double du titre."""
    for element in soup.select(", ".join(EMPTY_PARTS)):
        element.decompose()
    header = soup.select_one("#pst-header")
    if header and not header.get_text(strip=True) and not header.find("img"):
        header["hidden"] = ""  # gardé : le script du thème mesure sa hauteur
    if sidebar := soup.select_one("#pst-primary-sidebar"):
        sidebar["role"], sidebar["aria-label"] = "complementary", "Menu du cours"
    for footer in soup.select("main footer.prev-next-footer"):
        footer.name, footer["aria-label"] = "nav", "Page précédente, page suivante"
    for caption in soup.select("nav p.caption[role=heading]"):
        del caption["role"], caption["aria-level"]
        if (entries := caption.find_next_sibling("ul")) is not None:
            entries["aria-label"] = caption.get_text(strip=True)
    for logo in soup.select("a.logo"):
        amend_logo(logo)


def amend_logo(logo: Tag) -> None:
    """Garde une seule image, décorative : le titre écrit à côté nomme déjà le lien."""
    first, *others = logo.find_all("img") or [None]
    for image in others:
        image.decompose()
    if first is not None:
        first["class"], first["alt"] = ["logo__image"], ""
        first["width"] = first["height"] = "44"


def amend_footer(soup: BeautifulSoup, accessibility_url: str | None) -> None:
    """Écrit le pied de page : auteurs, licences, lien vers la page d'accessibilité."""
    footer = soup.select_one("footer.bd-footer")
    if footer is None:
        return
    footer.clear()
    text = "© Les contributeurs du cours. Texte sous licence CC BY 4.0, code sous licence BSD-3-Clause."
    paragraph = soup.new_tag("p")
    paragraph.string = text
    footer.append(paragraph)
    if accessibility_url:
        link = soup.new_tag("a", href=accessibility_url)
        link.string = "Accessibilité"
        paragraph.append(" ")
        paragraph.append(link)
