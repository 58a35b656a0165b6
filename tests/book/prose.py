"""Extraire la prose d'une page MyST : ni code, ni formules, ni rôles, ni options."""

import re

CODE_CELL = re.compile(r"^```\{code-cell\}.*?^```\s*$", re.S | re.M)
DIRECTIVE_MATH = re.compile(r"^(`{3,})\{math\}.*?^\1\s*$", re.S | re.M)
HEADER = re.compile(r"\A---\n.*?\n---\n", re.S)
NOISE = (
    r"^%.*$",                     # commentaires
    r"^\([\w-]+\)=$",             # étiquettes
    r"^:[\w-]+:.*$",              # options de directive
    r"\$\$.*?\$\$",
    r"\$[^$]+?\$",
    r"\{[\w:]+\}`[^`\n]+`",         # rôles
    r"`[^`\n]+`",
    r"\]\([^)]*\)",               # cibles de liens
)  # fmt: skip


def prose(text: str) -> str:
    for pattern in (HEADER, CODE_CELL, DIRECTIVE_MATH):
        text = pattern.sub("", text)
    for pattern in NOISE:
        text = re.sub(pattern, " ", text, flags=re.S | re.M if r"\$" in pattern else re.M)
    return text
