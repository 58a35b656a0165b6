"""Corrections de l'article : cellules, exercices, tableaux, figures, bibliographie.

Chaque `amend_*` reçoit la page analysée et la modifie sur place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bs4 import BeautifulSoup, Comment, Tag

CELL_LABELS = {
    "tag_exercice": "À vous de jouer",
    "tag_verification": "Vérification",
    "tag_corrige": "Corrigé",
    "tag_raises-exception": "Erreur provoquée",
}
DIFFICULTY = re.compile(r"^\s*\(?\s*(★{1,3})\s*")


def amend_cells(soup: BeautifulSoup) -> None:
    """Dit en toutes lettres ce qu'est une cellule d'exercice, de vérification ou de corrigé."""
    for tag, label in CELL_LABELS.items():
        for cell in soup.find_all("div", class_=["cell"]):
            if tag in cell["class"]:
                line = soup.new_tag("p", attrs={"class": "etiquette-cellule"})
                line.string = label
                cell.insert(0, line)


def amend_exercises(soup: BeautifulSoup) -> None:
    """Compose les titres : « Exercice 1.2. Titre ★★ », « Solution de l’exercice 1.2 »."""
    number = ""
    for box in soup.select(".exercise, .solution"):
        title = box.find(class_="admonition-title")
        if "solution" in box["class"]:
            title.string = f"Solution de l’exercice\u00a0{number}" if number else "Solution"
            continue
        caption = title.find(class_="caption-number")
        number = caption.get_text(strip=True).split()[-1] if caption else ""
        amend_exercise_title(soup, title, caption)


def amend_exercise_title(soup: BeautifulSoup, title: Tag, caption: Tag | None) -> None:
    """Retire les parenthèses du titre et lit les étoiles en mots."""
    texts = [text for text in title.find_all(string=True) if caption not in text.parents]
    if not texts:
        return
    stars = DIFFICULTY.match(texts[0])
    texts[0].replace_with(" " + re.sub(r"^\s*\(?\s*★*\s*", "", texts[0]))
    last = [text for text in title.find_all(string=True) if caption not in text.parents][-1]
    last.replace_with(re.sub(r"\)\s*$", "", last))
    if stars:
        level = soup.new_tag("span", attrs={"class": "difficulte"})
        drawn = soup.new_tag("span", attrs={"aria-hidden": "true"})
        spoken = soup.new_tag("span", attrs={"class": "lecture-seule"})
        drawn.string = stars[1]
        spoken.string = f"(difficulté {len(stars[1])} sur 3)"
        level.extend([drawn, spoken])
        title.extend([" ", level])


def amend_wrappers(soup: BeautifulSoup) -> None:
    """Retire les sections sans titre, de même identifiant, qui enferment le contenu d'un encadré."""
    for section in soup.select("#exercise-content, #solution-content, #proof-content"):
        section.name = "div"
        del section["id"]


def amend_proofs(soup: BeautifulSoup) -> None:
    """Écrit « Démonstration. », et retire l’identifiant « proof », le même pour toutes."""
    for box in soup.select("div.proof#proof"):
        del box["id"]
        text = box.find(string=re.compile(r"\s*Proof\.\s"))
        if text is not None:
            start = soup.new_tag("em")
            start.string = "Démonstration."
            text.insert_before(start)
            text.replace_with(re.sub(r"^\s*Proof\.", "", text))


def amend_folds(soup: BeautifulSoup) -> None:
    """Replie les encadrés « dropdown » par <details> : sans script, au clavier, dans la recherche."""
    for box in soup.select("div.admonition.dropdown"):
        title = box.find(class_="admonition-title")
        box.name, title.name = "details", "summary"
        if identifier := title.get("id"):
            box["id"] = box.get("id", identifier)
            del title["id"]


def amend_tables(soup: BeautifulSoup) -> None:
    """Dit la portée des en-têtes et nomme la boîte défilante de chaque tableau."""
    for table in soup.select("article table"):
        for corner in table.find_all("th"):
            if not corner.get_text(strip=True) and not corner.find("img"):
                corner.name = "td"  # un en-tête vide n'en est pas un
        for header in table.select("thead th"):
            header["scope"] = "col"
        for header in table.select("tbody th"):
            header["scope"] = "row"
        for header in table.select("th:has(math)"):
            amend_formula_header(soup, header)
        box = table.find_parent(class_="pst-scrollable-table-container")
        if box is None:
            box = table.wrap(soup.new_tag("div", attrs={"class": "pst-scrollable-table-container"}))
        caption, heading = table.find("caption"), table.find_previous(["h1", "h2", "h3", "h4"])
        name = visible_text(caption or heading)
        box["role"] = "group"
        box["aria-label"] = name if caption else f"Tableau : {name}"


def visible_text(element: Tag | None) -> str:
    """Rend le texte d'un titre ou d'une légende, sans l'ancre ; d'une formule, son MathML seul."""
    texts = element.find_all(string=lambda text: not isinstance(text, Comment)) if element else []
    hidden = ("headerlink", "katex-html")
    shown = (text for text in texts if not text.find_parent(class_=hidden))
    return " ".join("".join(t for t in shown if not t.find_parent("annotation")).split())


def amend_formula_header(soup: BeautifulSoup, header: Tag) -> None:
    """Écrit en texte un en-tête fait d'une seule formule : axe et des lecteurs le disent vide."""
    texts = [text for text in header.find_all(string=True) if text.strip()]
    if not all(text.find_parent(class_="katex") for text in texts):
        return
    symbols = [text for text in header.math.find_all(string=True)
               if not text.find_parent("annotation")]  # fmt: skip
    spoken = soup.new_tag("span", attrs={"class": "lecture-seule"})
    spoken.string = "".join(symbols).strip()
    header.find(class_="katex")["aria-hidden"] = "true"
    header.append(spoken)


def amend_figures(soup: BeautifulSoup, image_size: Callable[[str], tuple[int, int] | None]) -> None:
    """Donne aux images leur taille, et ne les charge qu'à l'approche."""
    for image in soup.select("article img"):
        image["loading"], image["decoding"] = "lazy", "async"
        size = image_size(image.get("src", ""))
        if size and not image.get("width") and not image.get("style"):
            image["width"], image["height"] = (str(side) for side in size)


def amend_bibliography(soup: BeautifulSoup) -> None:
    """Remplace des rôles de liste que les outils d'assistance refusent."""
    for box in soup.select(".citation-list, .footnote-list"):
        box.name, box["role"] = "div", "list"
    for selector in ("div.citation", "aside.footnote", "div.footnote"):
        for entry in soup.select(selector):
            entry.name, entry["role"] = "div", "listitem"
            parent = entry.parent
            if parent.get("role") != "list":
                entry["role"] = "note"
    for link in soup.select("[role=doc-biblioref], [role=doc-noteref], [role=doc-backlink]"):
        del link["role"]


def amend_english(soup: BeautifulSoup, terms: frozenset[str]) -> None:
    """Marque les mots anglais : classe `en` d'un auteur, ou italique d'un terme connu."""
    for element in soup.select("article .en"):
        element["lang"] = "en"
    for element in soup.select("article em"):
        if " ".join(element.get_text().lower().split()) in terms:
            element["lang"] = "en"
