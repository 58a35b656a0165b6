"""Le texte français d'une page construite : sans code, sans formules, sans passages en anglais."""

import re

from bs4 import BeautifulSoup

SKIPPED = (
    "script", "style", "pre", "code", "math", ".katex", ".math", "[lang=en]", ".cell_output",
    "div.citation", "dl.citation", ".citation-list", ".headerlink", "svg", ".caption-number",
    'a[href*="bibliographie.html#"]', ".eqno", "[role=doc-biblioentry]",
)  # fmt: skip
PLACE = "\u2060"  # à la place d'une formule ou d'un code, pour ne pas coller les mots voisins
BLOCKS = (
    "p, li, h1, h2, h3, h4, figcaption, caption, td, th, dt, dd, summary, legend, label, button"
)


def article(html: str) -> BeautifulSoup:
    soup = BeautifulSoup(html, "lxml")
    main = soup.select_one("article") or soup.select_one("main")
    for selector in SKIPPED:
        for element in main.select(selector):
            element.replace_with(PLACE)
    return main


def paragraphs(html: str, *, tables: bool = True) -> list[str]:
    """Rend les blocs de texte de l'article, chacun une seule fois, avec ou sans les tableaux."""
    main = article(html)
    if not tables:
        for table in main.select("table, .banniere-execution"):
            table.decompose()
    for block in main.select(BLOCKS):
        block.append("\u2029")
    parts = main.get_text().split("\u2029")
    return [re.sub(r"[ \t\n]+", " ", part).strip() for part in parts if part.strip()]


def words(paragraph: str) -> list[str]:
    """Découpe en mots, les élisions comprises : « l’image » donne « l’ » et « image »."""
    text = re.sub(r"\S*(?:https?://|www\.|doi\.org)\S*", " ", paragraph)
    tokens = re.findall(r"[A-Za-zÀ-ÖØ-öø-ÿŒœ]+(?:[-’'][A-Za-zÀ-ÖØ-öø-ÿŒœ]+)*", text)
    return [word for token in tokens for word in split_elision(token)]


def split_elision(token: str) -> list[str]:
    match = re.match(r"^([ldjtmnsc]|qu|jusqu|lorsqu|puisqu|quoiqu)[’'](.+)$", token, re.I)
    return [match[2]] if match else [token]
