"""Méthodes tabulaires : planifier quand le modèle est connu, apprendre quand il ne l'est pas."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import gymnasium
import numpy as np
import torch

from course_lib._checks import check_count, check_generator

Schedule = float | Callable[[int], float]


class Plan(NamedTuple):
    """Une solution exacte : valeurs (S,), Q (S, A), politique gloutonne (S,) et balayages faits."""

    values: np.ndarray
    q: np.ndarray
    policy: np.ndarray
    n_sweeps: int


class Learning(NamedTuple):
    """Un apprentissage : Q final (S, A), retour non actualisé et longueur de chaque épisode (E,)."""

    q: np.ndarray
    returns: np.ndarray
    lengths: np.ndarray


def value_iteration(
    P: np.ndarray, R: np.ndarray, *, gamma: float, terminal: np.ndarray | None = None,
    tolerance: float = 1e-10, max_sweeps: int = 100_000,
) -> Plan:  # fmt: skip
    """Calcule les valeurs optimales en répétant l'équation d'optimalité de Bellman.

    S'arrête quand γ / (1 − γ) · ‖V − V précédent‖∞ ≤ ``tolerance``, qui borne alors l'erreur
    ‖V − V*‖∞ ; si γ = 1, quand le dernier changement est ≤ ``tolerance`` (sans garantie).

    **Formes** : P (S, A, S), lignes de somme 1 ; R (S, A) ; ``gamma`` dans [0 ; 1] ; ``terminal``
    (S,) booléen, valeur nulle (par défaut : aucun).

    **Lève** : ``ValueError`` si les formes, les probabilités ou ``gamma`` ne conviennent pas, ou si
    ``max_sweeps`` balayages ne suffisent pas.

    **Réf.** : bellman1957dynamic, puterman1994markov

    >>> P, R = np.ones((1, 1, 1)), np.ones((1, 1))
    >>> round(float(value_iteration(P, R, gamma=0.5).values[0]), 6)
    2.0
    """
    P, R = _checked_model(P, R, gamma, terminal)
    factor = gamma / (1 - gamma) if gamma < 1 else 1.0
    values = np.zeros(len(R))
    for sweep in range(1, max_sweeps + 1):
        q = R + gamma * P @ values  # (S, A)
        change, values = np.abs(q.max(axis=1) - values).max(), q.max(axis=1)
        if factor * change <= tolerance:
            return Plan(values, q, q.argmax(axis=1), sweep)
    raise ValueError(f"{max_sweeps} balayages n'ont pas suffi : en permettre plus, baisser gamma.")


def evaluate_policy(
    P: np.ndarray, R: np.ndarray, policy: np.ndarray, *, gamma: float,
    terminal: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Rend les valeurs exactes d'une politique : l'équation de Bellman est un système linéaire.

    **Formes** : P, R, ``gamma`` et ``terminal`` comme ``value_iteration`` ; ``policy`` (S,) actions
    entières, ou (S, A) probabilités → V (S,), solution de (I − γ P_π) V = R_π, nulle aux fins.

    **Lève** : ``ValueError`` si les formes ne conviennent pas, ou si γ = 1 et que la politique
    n'atteint pas toujours une fin (système singulier).

    **Réf.** : puterman1994markov

    >>> P, R = np.ones((1, 2, 1)), np.array([[1.0, 0.0]])
    >>> evaluate_policy(P, R, np.array([[0.5, 0.5]]), gamma=0.5).tolist()
    [1.0]
    """
    P, R = _checked_model(P, R, gamma, terminal)
    pi = np.asarray(policy)
    pi = np.eye(R.shape[1])[pi] if pi.ndim == 1 else pi  # (S, A)
    law = pi.shape == R.shape and np.allclose(pi.sum(axis=1), 1)
    _check(law, f"policy : (S,) actions, ou {R.shape} probabilités ; reçu {np.shape(policy)}.")
    system = np.eye(len(R)) - gamma * np.einsum("sa,sat->st", pi, P)  # (S, S)
    ends = np.linalg.matrix_rank(system) == len(R)
    _check(ends, "Cette politique n'atteint pas toujours une fin : prendre gamma < 1.")
    return np.linalg.solve(system, (pi * R).sum(axis=1))


def epsilon_greedy(q: np.ndarray, epsilon: float) -> np.ndarray:
    """Rend la politique ε-gloutonne de Q : ε partagé entre toutes, le reste entre les meilleures.

    **Formes** : ``q`` (S, A), ``epsilon`` dans [0 ; 1] → probabilités (S, A).

    **Lève** : ``ValueError`` si ``epsilon`` sort de [0 ; 1].

    >>> epsilon_greedy(np.array([[0.0, 1.0]]), 0.2).tolist()
    [[0.1, 0.9]]
    """
    _check(0 <= epsilon <= 1, f"epsilon doit être entre 0 et 1, reçu {epsilon!r}.")
    best = q == q.max(axis=1, keepdims=True)
    return epsilon / q.shape[1] + (1 - epsilon) * best / best.sum(axis=1, keepdims=True)


def q_learning(
    env: gymnasium.Env, *, n_episodes: int, gamma: float, lr: Schedule, epsilon: Schedule,
    generator: torch.Generator, q: np.ndarray | float = 0.0,
) -> Learning:  # fmt: skip
    """Apprentissage Q, hors politique : la cible est r + γ max Q(s′, ·), quoi que l'on joue ensuite.

    Une troncature n'est pas une fin : on amorce sur s′ tant que ``terminated`` est faux.

    **Formes** : ``env`` d'espaces ``Discrete`` ; ``gamma`` dans [0 ; 1] ; ``lr``, nombre ou
    fonction du nombre de visites (≥ 1) de (s, a) ; ``epsilon``, nombre ou fonction du numéro de
    l'épisode (≥ 0) ; ``q``, point de départ : un nombre, ou (S, A), copié.

    **Lève** : ``ValueError`` si un espace n'est pas ``Discrete`` ou un réglage hors de son domaine.

    **Réf.** : watkins1989learning, watkins1992qlearning

    >>> from course_lib.rl.gridworld import GridWorld
    >>> run = q_learning(GridWorld(["SG"]), n_episodes=9, gamma=1, lr=1, epsilon=0,
    ...                  generator=torch.Generator())
    >>> float(run.q[0, 1])
    -1.0
    """
    return _learn(env, False, n_episodes, gamma, lr, epsilon, generator, q)


def sarsa(
    env: gymnasium.Env, *, n_episodes: int, gamma: float, lr: Schedule, epsilon: Schedule,
    generator: torch.Generator, q: np.ndarray | float = 0.0,
) -> Learning:  # fmt: skip
    """SARSA, sur la politique : la cible est r + γ Q(s′, a′), où a′ est l'action jouée ensuite.

    **Formes**, **Lève** : comme ``q_learning``.

    **Réf.** : rummery1994online

    >>> from course_lib.rl.gridworld import GridWorld
    >>> sarsa(GridWorld(["SG"]), n_episodes=9, gamma=1, lr=1, epsilon=0,
    ...       generator=torch.Generator()).lengths[-1]
    np.int64(1)
    """
    return _learn(env, True, n_episodes, gamma, lr, epsilon, generator, q)


def _learn(env, on_policy, n_episodes, gamma, lr, epsilon, generator, q) -> Learning:
    spaces = (env.observation_space, env.action_space)
    discrete = all(isinstance(space, gymnasium.spaces.Discrete) for space in spaces)
    _check(discrete, f"Une table demande des espaces Discrete, reçu {spaces} : découper en cases.")
    shape = tuple(int(space.n) for space in spaces)
    _check(np.shape(q) in ((), shape), f"q : un nombre ou la forme {shape} ; reçu {np.shape(q)}.")
    table, visits, history = np.full(shape, q, float).tolist(), np.zeros(shape, int).tolist(), []
    rng = random.Random(int(torch.randint(2**31, (1,), generator=check_generator(generator))))
    rate, explore = (f if callable(f) else lambda _, value=f: value for f in (lr, epsilon))
    domain = all(0 <= value <= 1 for value in (gamma, rate(1), explore(0)))
    _check(domain, f"gamma, lr et epsilon vont de 0 à 1 ; reçu {gamma}, {rate(1)}, {explore(0)}.")
    for episode in range(check_count(n_episodes, name="n_episodes")):
        state, _ = env.reset(seed=rng.getrandbits(31) if episode == 0 else None)
        share, total, length, done = explore(episode), 0.0, 0, False
        action = _choose(table[state], share, rng)
        while not done:
            arrival, reward, terminated, truncated, _ = env.step(action)
            following = _choose(table[arrival], share, rng) if on_policy else None
            future = table[arrival][following] if on_policy else max(table[arrival])
            visits[state][action] += 1
            target = reward + (0.0 if terminated else gamma * future)
            table[state][action] += rate(visits[state][action]) * (target - table[state][action])
            action = following if on_policy else _choose(table[arrival], share, rng)
            state, done = arrival, terminated or truncated
            total, length = total + reward, length + 1
        history.append((total, length))
    returns, lengths = map(np.array, zip(*history, strict=True))
    return Learning(np.array(table), returns, lengths)


def _choose(row: list[float], epsilon: float, rng: random.Random) -> int:
    """Action ε-gloutonne ; les ex æquo sont départagés au hasard."""
    if rng.random() < epsilon:
        return int(rng.random() * len(row))
    top = max(row)
    best = [action for action, value in enumerate(row) if value == top]
    return best[int(rng.random() * len(best))]


def _checked_model(P, R, gamma, terminal) -> tuple[np.ndarray, np.ndarray]:
    """Vérifie le modèle ; annule ce qui part d'une fin ou y arrive, dont la valeur est nulle."""
    P, R = np.asarray(P, dtype=float), np.asarray(R, dtype=float)
    alive = np.ones(len(R)) if terminal is None else 1.0 - np.asarray(terminal, dtype=float)
    shapes = R.ndim == 2 and P.shape == (*R.shape, len(R)) and alive.shape == R.shape[:1]
    _check(shapes, f"P (S, A, S), R (S, A), terminal (S,) attendus ; reçu {P.shape}, {R.shape}.")
    law = (P >= 0).all() and np.allclose(P.sum(axis=2), 1) and 0 <= gamma <= 1
    _check(law, f"P[s, a] : termes ≥ 0 de somme 1 ; gamma : de 0 à 1, reçu {gamma!r}.")
    return alive[:, None, None] * P * alive, alive[:, None] * R


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
