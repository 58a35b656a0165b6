"""Typographie française : les auteurs tapent des espaces ordinaires, le site pose les bonnes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

NBSP, THIN = "\u00a0", "\u202f"  # insécable, fine insécable
OPAQUE = "\ufffc"  # tient la place d'une formule, d'un code, d'une adresse : lu, jamais modifié

_BLANK = rf"[ \n{NBSP}{THIN}]"
_SIGNS = "%‰°€"
_UNITS = (
    "[kcmµn]?m|[mµn]?s|min|h|[kMG]?Hz|[kMGT]?o|octets?|bits?|px|dpi|[kMG]?eV|[kM]?W|mV|V|mA|K|"
    "[kmµ]?g|dB"
)
# Dans l'ordre. Chaque règle consomme au moins un caractère à elle et laisse OPAQUE intact.
_RULES = [
    (r'(?:^|(?<=[\s(\[{«“’—–/]))"(?=\S)', "«"),
    (r'"', "»"),
    # l'*italique*, d'`un`, l'$x$ : smartquotes, qui ne voit pas la suite, a cru fermer une citation
    (rf"(?<=[^\W\d_])['‘“”](?=[\w{OPAQUE}«([])", "’"),
    (r"(?<=[^\W\d_])'", "’"),
    (rf"{_BLANK}+(?=[;!?])", THIN),
    (rf"{_BLANK}+(?=:)", NBSP),
    (rf"«{_BLANK}*", f"«{NBSP}"),
    (rf"{_BLANK}*»", f"{NBSP}»"),
    (rf"(?<={OPAQUE})([;!?])(?=\s|$)", rf"{THIN}\1"),
    (rf"(?<={OPAQUE}):(?=\s|$)", f"{NBSP}:"),
    (rf"(?<=[\d{OPAQUE}]){_BLANK}+(?=[{_SIGNS}])", THIN),
    (r"(?<=\d)([%‰€])(?!\w)", rf"{THIN}\1"),
    (rf"(?<=[\d{OPAQUE}]){_BLANK}+(?=(?:{_UNITS})(?![\w'’-]))", NBSP),
    (rf"(?<![\w,.])\d{{1,3}}(?:{_BLANK}\d{{3}})+(?!\d)", None),
]
RULES = [(re.compile(pattern), replacement) for pattern, replacement in _RULES]
ADDRESS = re.compile(r"\b(?:https?://|www\.)[^\s«»]+|\b[\w.+-]+@[\w-]+\.\w+")

SKIPPED = (
    nodes.literal,
    nodes.FixedTextElement,  # blocs de code, formules hors-texte, commentaires, HTML brut
    nodes.math,
    nodes.system_message,
    nodes.problematic,
    addnodes.literal_emphasis,
    addnodes.literal_strong,
)
INVISIBLE = (nodes.Invisible, nodes.raw, addnodes.index)


def typeset(text: str) -> str:
    """Compose un texte seul : `typeset("Prêt ?")` rend `"Prêt\u202f?"`. Idempotent."""
    return typeset_leaves([text])[0]


def typeset_leaves(leaves: list[str | None]) -> list[str | None]:
    """Compose des textes qui se suivent ; `None` y marque une formule, un code, une image.

    Les règles voient le bloc entier : un « : » qui commence un texte juste après une formule
    ou du gras reçoit donc la même espace qu'au milieu d'une phrase.
    """
    text = "".join(OPAQUE if leaf is None else leaf for leaf in leaves)
    owners = [i for i, leaf in enumerate(leaves) for _ in (leaf if leaf is not None else OPAQUE)]
    hidden = [text[i] for i in _opaque_positions(text)]
    text = ADDRESS.sub(lambda match: OPAQUE * len(match[0]), text)
    for pattern, replacement in RULES:
        text, owners = _substitute(pattern, replacement, text, owners)
    restored = iter(hidden)
    composed = ["" if leaf is not None else None for leaf in leaves]
    for character, owner in zip(text, owners, strict=True):
        original = next(restored) if character == OPAQUE else character
        if composed[owner] is not None:
            composed[owner] += original
    return composed


def _opaque_positions(text: str) -> list[int]:
    inside = {i for match in ADDRESS.finditer(text) for i in range(*match.span())}
    return [i for i, character in enumerate(text) if character == OPAQUE or i in inside]


def _substitute(pattern, replacement, text, owners):
    """`pattern.sub`, en gardant pour chaque caractère le numéro du texte d'où il vient."""
    pieces, kept, end = [], [], 0
    for match in pattern.finditer(text):
        new = match.expand(replacement) if replacement else re.sub(_BLANK, THIN, match[0])
        owner = owners[match.start()]
        pieces += [text[end : match.start()], new]
        kept += owners[end : match.start()]
        # même longueur : chaque caractère reste chez lui ; sinon, tout va au premier texte
        same = len(new) == len(match[0])
        kept += owners[match.start() : match.end()] if same else [owner] * len(new)
        end = match.end()
    return "".join([*pieces, text[end:]]), kept + owners[end:]


def typeset_tree(node: nodes.Node) -> None:
    """Compose toute la prose sous `node`, sauf le code, les formules et les sorties de cellules."""
    for image in node.findall(nodes.image):
        if "alt" in image:
            image["alt"] = typeset(image["alt"])
    for toctree in node.findall(addnodes.toctree):
        _typeset_toctree(toctree)
    for block in list(_blocks(node)):
        leaves = list(_leaves(block))
        texts = [leaf.astext() if isinstance(leaf, nodes.Text) else None for leaf in leaves]
        for leaf, text in zip(leaves, typeset_leaves(texts), strict=True):
            if text is not None and text != leaf.astext():
                _replace(leaf, nodes.Text(text))


def _replace(leaf: nodes.Text, new: nodes.Text) -> None:
    """Remplace par identité : `Element.replace` confond deux textes égaux du même parent."""
    parent = leaf.parent
    position = next(i for i, child in enumerate(parent.children) if child is leaf)
    parent[position] = new


def _typeset_toctree(toctree: addnodes.toctree) -> None:
    for name in ("caption", "rawcaption"):
        if toctree.get(name):
            toctree[name] = typeset(toctree[name])
    toctree["entries"] = [(title and typeset(title), page) for title, page in toctree["entries"]]


def _blocks(node: nodes.Node) -> Iterator[nodes.Element]:
    """Blocs de prose ; d'une sortie de cellule, seulement la légende."""
    if isinstance(node, (*SKIPPED, *INVISIBLE)) or not isinstance(node, nodes.Element):
        return
    if "cell_output" in node.get("classes", ()):
        for part in node.findall(lambda child: isinstance(child, nodes.caption | nodes.legend)):
            yield from _blocks(part)
    elif isinstance(node, nodes.TextElement) or _has_text(node):
        yield node
    else:
        for child in node.children:
            yield from _blocks(child)


def _has_text(node: nodes.Element) -> bool:
    return any(isinstance(child, nodes.Text) for child in node.children)


def _leaves(node: nodes.Element) -> Iterator[nodes.Node]:
    for child in node.children:
        if isinstance(child, SKIPPED) or not (child.children or isinstance(child, INVISIBLE)):
            yield child
        elif not isinstance(child, INVISIBLE):
            yield from _leaves(child)


def _curve_term_targets(document: nodes.document) -> None:
    """MyST courbe l'apostrophe des entrées du glossaire, non celle des renvois : {term}`l'époque`."""
    for reference in document.findall(addnodes.pending_xref):
        if reference.get("reftype") == "term":
            reference["reftarget"] = reference["reftarget"].replace("'", "’")


class FrenchTypography(SphinxTransform):
    """Après les guillemets automatiques (750), avant la copie des titres dans les sommaires."""

    default_priority = 860

    def apply(self, **kwargs) -> None:
        """Compose la page lue."""
        typeset_tree(self.document)
        if "smartquotes" in self.config.myst_enable_extensions:
            _curve_term_targets(self.document)


class LateFrenchTypography(SphinxPostTransform):
    """Même composition pour ce qui naît après la lecture : bibliographie, titres d'exercices."""

    default_priority = 900

    def run(self, **kwargs) -> None:
        """Compose la page résolue ; les règles sont idempotentes."""
        typeset_tree(self.document)


def setup(app) -> dict:
    """Enregistre les deux transformations."""
    app.add_transform(FrenchTypography)
    app.add_post_transform(LateFrenchTypography)
    version = zlib.crc32(Path(__file__).read_bytes())
    return {"version": "1", "env_version": version, "parallel_read_safe": True}
