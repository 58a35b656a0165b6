"""Attrape : un petit jeu vidéo en pixels, dont le meilleur score possible est connu."""

from __future__ import annotations

import gymnasium
import numpy as np
from gymnasium import spaces

from course_lib._checks import check_count

SIZE = 10  # côté du jeu, en pixels
BRIGHT = 255  # pixel allumé

_BALL, _LIFE, _PADDLE, _NIGHT = (230, 159, 0), (0, 158, 115), (86, 180, 233), (24, 24, 24)
_SCALE = 16  # côté, dans l'image rendue, d'un pixel du jeu


class Catch(gymnasium.Env):
    """Une barre de trois pixels attrape des balles qui tombent de biais et rebondissent aux murs.

    | Fiche | |
    |---|---|
    | Observation | ``Box(0, 255, (2, 10, 10), uint8)`` : l'image présente, puis la précédente \
(sans elle, on ne saurait de quel côté vont les balles) ; ligne 0 : une vie par pixel ; \
lignes 1 à 8 : les balles ; dernière ligne : la barre |
    | Actions | ``Discrete(3)`` : 0 gauche, 1 rester, 2 droite ; un pixel par pas |
    | Balles | une tous les ``gap`` pas ; chacune descend d'un pixel par pas et se décale de −1, 0 \
ou +1 pixel, en rebondissant aux murs |
    | Récompense | +1 par balle attrapée, −1 par balle manquée, 0 sinon |
    | Fin | ``terminated`` à la dernière vie perdue (une par balle manquée) ; ``truncated`` au pas \
``max_steps`` (None : jamais) si l'épisode ne s'y termine pas |
    | Meilleur score | ``best_score`` : toutes les balles arrivées en ``max_steps`` pas |

    Une balle arrive toujours à ``gap`` colonnes au plus de la précédente : qui va droit vers le
    prochain point de chute n'en manque aucune (``oracle``).

    **Formes** : ``gap`` ≥ 1 ; ``lives`` de 1 à 10 ; ``max_steps`` ≥ 1. ``info`` : ``"lives"``, les
    vies qui restent.

    **Lève** : ``ValueError`` si un réglage sort de son domaine, si l'action n'existe pas ou si
    ``reset`` manque.

    >>> env = Catch()
    >>> env.reset(seed=0)[0].shape, env.best_score
    ((2, 10, 10), 19)
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012 (API de Gymnasium)
    observation_space = spaces.Box(0, BRIGHT, (2, SIZE, SIZE), np.uint8)
    action_space = spaces.Discrete(3)

    def __init__(
        self, *, gap: int = 5, lives: int = 3, max_steps: int | None = 100,
        render_mode: str | None = None,
    ) -> None:  # fmt: skip
        self.gap, self.lives = check_count(gap, name="gap"), check_count(lives, name="lives")
        self.max_steps = None if max_steps is None else check_count(max_steps, name="max_steps")
        if lives > SIZE or render_mode not in (None, "rgb_array"):
            raise ValueError(
                f"Attendu au plus {SIZE} vies et render_mode None ou 'rgb_array' ; reçu "
                f"lives={lives}, render_mode={render_mode!r}."
            )
        self.render_mode, self._left = render_mode, 0

    @property
    def best_score(self) -> int | None:
        """Meilleur score d'une partie : le nombre de balles arrivées en bas avant ``max_steps``."""
        return self.max_steps and max(0, (self.max_steps - SIZE + 2) // self.gap + 1)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:
        """Commence une partie : barre au hasard, toutes les vies, une balle en haut."""
        super().reset(seed=seed)
        self._paddle = int(self.np_random.integers(1, SIZE - 1))  # colonne de son milieu
        self._balls, self._n_steps, self._left = [], 0, self.lives
        self._spawn(0, SIZE)
        self._frames = np.concatenate([self._draw()] * 2)
        return self._frames.copy(), {"lives": self._left}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Fait un pas : image, récompense, ``terminated``, ``truncated``, ``info``."""
        if not self._left or action not in (0, 1, 2):
            advice = "actions de 0 à 2" if self._left else "appeler reset() d'abord"
            raise ValueError(f"step({action!r}) est impossible : {advice}.")
        self._n_steps += 1
        self._paddle = min(max(self._paddle + int(action) - 1, 1), SIZE - 2)
        self._balls = [(end, drift, left - 1) for end, drift, left in self._balls if left]
        reward = 0.0
        if self._balls and self._balls[0][2] == 0:  # la plus basse, seule à pouvoir arriver
            reward = 1.0 if abs(self._balls[0][0] - self._paddle) <= 1 else -1.0
            self._left -= reward < 0
        if self._n_steps % self.gap == 0:
            self._spawn(max(0, self._end - self.gap), min(SIZE, self._end + self.gap + 1))
        self._frames = np.concatenate([self._draw(), self._frames[:1]])
        truncated = self._n_steps == self.max_steps and self._left > 0
        return self._frames.copy(), reward, self._left == 0, truncated, {"lives": self._left}

    def oracle(self) -> int:
        """Action d'un joueur qui connaît le point de chute de la balle la plus basse.

        >>> env = Catch()
        >>> _ = env.reset(seed=0)
        >>> sum(env.step(env.oracle())[1] for _ in range(100))
        19.0
        """
        ends = [end for end, _, left in self._balls if left]
        goal = min(max(ends[0] if ends else self._paddle, 1), SIZE - 2)
        return 1 + int(np.sign(goal - self._paddle))

    def render(self) -> np.ndarray | None:
        """Rend l'image (160, 160, 3) uint8, vies en vert et barre en bleu."""
        if self.render_mode is None:
            return None
        shown = np.where(self._frames[0, ..., None] > 0, _BALL, _NIGHT).astype(np.uint8)
        shown[0, : self._left] = _LIFE
        shown[-1, self._paddle - 1 : self._paddle + 2] = _PADDLE
        return shown.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)

    def _spawn(self, low: int, high: int) -> None:
        """Lance une balle : colonne d'arrivée dans [low ; high[, dérive, pas qui restent."""
        self._end = int(self.np_random.integers(low, high))
        self._balls.append((self._end, int(self.np_random.integers(-1, 2)), SIZE - 2))

    def _draw(self) -> np.ndarray:
        frame = np.zeros((1, SIZE, SIZE), dtype=np.uint8)
        frame[0, 0, : self._left] = frame[0, -1, self._paddle - 1 : self._paddle + 2] = BRIGHT
        wall = SIZE - 1
        for end, drift, left in self._balls:  # trajet déplié, puis replié entre les deux murs
            column = wall - abs((end - drift * left) % (2 * wall) - wall)
            frame[0, wall - left, column] = BRIGHT
        return frame
