"""Monde en grille : un environnement Gymnasium dont les probabilités de transition sont connues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from string import ascii_lowercase
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from course_lib._checks import check_count

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # haut, droite, bas, gauche : (ligne, colonne)
CLIFF = ("............", "............", "............", "SCCCCCCCCCCG")

_RESTING = "GP#C"  # cases où l'on n'agit jamais : but, puits, mur, falaise
_TINTS = {"#": (70, 70, 70), "C": (213, 94, 0), "P": (150, 60, 60), "G": (0, 158, 115)}
_FREE, _AGENT = (238, 238, 238), (0, 114, 178)


class GridWorld(gymnasium.Env):
    """Une grille dessinée en texte, où un agent se déplace d'une case à la fois.

    | Fiche | |
    |---|---|
    | Carte | ``S`` départ, ``.`` libre, ``#`` mur, ``G`` but, ``P`` puits, ``C`` falaise (on \
repart de ``S``, l'épisode continue) ; une minuscule est une case libre, que ``rewards`` peut payer |
    | Observation | ``Discrete(H × W)`` : numéro de la case, ligne par ligne |
    | Actions | ``Discrete(4)`` : 0 haut, 1 droite, 2 bas, 3 gauche ; un mur ou le bord arrête |
    | Hasard | avec probabilité ``slip``, l'action devient l'une des deux perpendiculaires |
    | Récompense | celle de la case où l'on met le pied : ``rewards`` la donne par lettre, sinon \
``step_reward`` (sans rien dire : −1, et −100 pour la falaise) |
    | Fin | ``terminated`` au but ou dans un puits ; ``truncated`` au pas ``max_steps``, sauf si \
l'épisode s'y termine |

    ``reset(options={"state": s})`` fait partir de la case s.

    **Formes** : ``layout`` H chaînes de W lettres, une seule ``S`` ; ``slip`` dans [0 ; 1] ;
    ``rewards`` lettre → réel ; ``max_steps`` ≥ 1, ou None (jamais tronqué).

    **Lève** : ``ValueError`` si la carte n'est pas un rectangle de lettres connues avec un seul
    départ, si un réglage sort de son domaine, si l'action n'existe pas ou si ``reset`` manque.

    **Réf.** : sutton2018reinforcement

    >>> env = GridWorld(["S.G"])
    >>> env.reset(seed=0)[0], env.step(1)[:3], env.step(1)[:3]
    (0, (1, -1.0, False), (2, -1.0, True))
    """

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(
        self, layout: Sequence[str], *, step_reward: float = -1.0,
        rewards: Mapping[str, float] | None = None, slip: float = 0.0,
        max_steps: int | None = None, render_mode: str | None = None,
    ) -> None:  # fmt: skip
        self.layout = _checked_layout(layout)
        if not 0 <= slip <= 1 or render_mode not in (None, "rgb_array"):
            raise ValueError(f"slip de 0 à 1, rendu None ou 'rgb_array' : {slip}, {render_mode!r}.")
        self.slip = float(slip)
        self.max_steps = None if max_steps is None else check_count(max_steps, name="max_steps")
        self.render_mode = render_mode
        self._letters = "".join(self.layout)
        self.observation_space = spaces.Discrete(len(self._letters))
        self.action_space = spaces.Discrete(len(MOVES))
        pay = dict.fromkeys(self._letters, step_reward) | {"C": -100.0} | dict(rewards or {})
        self._table = [self._row(state, pay) for state in range(len(self._letters))]  # (S, 4)
        self._state, self._n_steps = None, 0

    @classmethod
    def cliff(cls, **options: Any) -> GridWorld:
        """La falaise de Sutton et Barto (exemple 6.6) : 4 × 12, −1 par pas, −100 par chute.

        >>> GridWorld.cliff().layout[-1]
        'SCCCCCCCCCCG'
        """
        return cls(CLIFF, **options)

    def _row(self, state: int, pay: Mapping[str, float]) -> list[tuple[int, float]]:
        """Case d'arrivée et récompense des quatre déplacements, sans glissement."""
        width, row = len(self.layout[0]), []
        for down, right in MOVES:
            i, j = state // width + down, state % width + right
            inside = 0 <= i < len(self.layout) and 0 <= j < width
            goal = i * width + j if inside and self.layout[i][j] != "#" else state
            fallen = self._letters[goal] == "C"
            row.append((self._letters.index("S") if fallen else goal, pay[self._letters[goal]]))
        return row

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[int, dict]:
        """Place l'agent au départ, ou dans la case ``options["state"]``."""
        super().reset(seed=seed)
        state = (options or {}).get("state", self._letters.index("S"))
        if state not in self.observation_space or self._letters[state] in _RESTING:
            raise ValueError(f"On ne part pas de la case {state!r} : choisir une case libre.")
        self._state, self._n_steps = int(state), 0
        return self._state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict]:
        """Fait un pas : case d'arrivée, récompense, ``terminated``, ``truncated``, ``{}``."""
        if self._state is None or action not in (0, 1, 2, 3):
            raise ValueError(f"step({action!r}) : appeler reset() d'abord ; actions de 0 à 3.")
        if self.slip and (draw := self.np_random.random()) < self.slip:
            action = (action + (1 if draw < self.slip / 2 else 3)) % 4
        self._state, reward = self._table[self._state][action]
        self._n_steps += 1
        terminated = self._letters[self._state] in "GP"
        truncated = self._n_steps == self.max_steps and not terminated
        return self._state, reward, terminated, truncated, {}

    def transitions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rend le modèle exact : probabilités, récompenses espérées, cases de repos.

        **Formes** : P (S, A, S), lignes de somme 1 ; R (S, A) ; ``terminal`` (S,) booléen, vrai où
        l'on n'agit jamais (but, puits, et aussi mur et falaise, où l'agent n'est jamais) : la
        valeur y est nulle et P y reste sur place.

        >>> P, R, terminal = GridWorld(["S.G"]).transitions()
        >>> P[0, 1].tolist(), terminal.tolist()
        ([0.0, 1.0, 0.0], [False, False, True])
        """
        n, terminal = len(self._letters), np.array([c in _RESTING for c in self._letters])
        P, R = np.zeros((n, 4, n)), np.zeros((n, 4))
        P[terminal, :, terminal] = 1.0
        sides = ((0, 1 - self.slip), (1, self.slip / 2), (3, self.slip / 2))
        for state in np.flatnonzero(~terminal):
            for action, (turn, probability) in product(range(4), sides):
                arrival, reward = self._table[state][(action + turn) % 4]
                P[state, action, arrival] += probability
                R[state, action] += probability * reward
        return P, R, terminal

    def render(self) -> np.ndarray | None:
        """Rend la grille en image (16 H, 16 W, 3) uint8, agent en bleu, si ``render_mode`` l'a dit."""
        if self.render_mode is None:
            return None
        cells = np.array([[_TINTS.get(c, _FREE) for c in row] for row in self.layout], np.uint8)
        image = cells.repeat(16, axis=0).repeat(16, axis=1)
        if self._state is not None:
            i, j = (16 * k for k in divmod(self._state, len(self.layout[0])))
            image[i + 3 : i + 13, j + 3 : j + 13] = _AGENT
        return image


def _checked_layout(layout: Sequence[str]) -> tuple[str, ...]:
    rows = () if isinstance(layout, str) else tuple(layout)
    letters = "".join(rows)
    known = set(letters) <= set(".SGP#C" + ascii_lowercase) and letters.count("S") == 1
    if len({len(row) for row in rows}) != 1 or not known:
        rule = "chaînes de même longueur, un seul S, lettres de « .SGP#C » ou minuscules"
        raise ValueError(f"layout : {rule} ; reçu {layout!r}.")
    return rows
