"""Ce que plusieurs chapitres partagent, et rien d'autre.

Couches (les imports ne vont que vers le bas, vérifié par import-linter) :
4 ``plotting`` · 3 les thèmes (attaques, calibration…) · 2 ``training`` ·
1 ``models``, ``data``, ``metrics`` · 0 ``runtime``, ``claims``, ``exercises``.

On importe toujours depuis le sous-module : ``from course_lib.claims import claim``.
"""
