"""Courbes : étiquettes directes, historique d'entraînement, moyenne et intervalle."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib import patheffects, ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import IdentityTransform

from course_lib.claims import mean_interval
from course_lib.plotting._inputs import as_array, check_axes, name_axes
from course_lib.plotting.style import COLORS, MARKERS, readable

HALO = [patheffects.withStroke(linewidth=2.5, foreground="white")]


def label_line(ax: Axes, line: Line2D, text: str) -> Axes:
    """Écrit le nom d'une courbe à son dernier point visible, dans sa couleur, assombrie s'il faut.

    Deux étiquettes voisines s'écartent d'elles-mêmes ; la figure leur fait place à droite.

    **Lève** : ``ValueError`` si la courbe n'a aucun point fini.

    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> label_line(ax, ax.plot([0, 1], [0, 1])[0], "identité").texts[0].get_text()
    'identité'
    """
    check_axes(ax)
    if not isinstance(line, Line2D) or len(_finite_points(line)) == 0:
        raise ValueError(
            f"« {text} » : attendu une courbe d'au moins un point fini, rendue par "
            f"(line,) = ax.plot(…) ; reçu {line!r}."
        )
    label = _EndLabel(line, text)
    ax.add_artist(label)
    label.set_clip_on(False)
    return ax


class _EndLabel(Annotation):
    """Étiquette au bout d'une courbe, placée au moment du dessin, quand le cadre est connu."""

    def __init__(self, line: Line2D, text: str) -> None:
        super().__init__(
            text, _finite_points(line)[-1], xytext=(7, 0), textcoords="offset points",
            va="center", color=readable(line.get_color()), annotation_clip=False,
            path_effects=HALO, zorder=5,
        )  # fmt: skip
        self.line = line
        self.set_transform(IdentityTransform())  # comme ax.annotate : le décalage est en points

    def draw(self, renderer):
        self._place()
        super().draw(renderer)

    def get_window_extent(self, renderer=None):
        self._place()
        return super().get_window_extent(renderer)

    def _place(self) -> None:
        labels = [child for child in self.axes.get_children() if isinstance(child, _EndLabel)]
        for label in labels:
            label.xy = label._last_visible_point()
        ends = self.axes.transData.transform([label.xy for label in labels])
        ends *= 72 / self.figure.dpi  # en points, l'unité des décalages
        mine = ends[labels.index(self), 0]
        near = [i for i in np.argsort(ends[:, 1], kind="stable") if abs(ends[i, 0] - mine) < 60]
        heights = _spread_out(ends[near, 1], gap=1.25 * self.get_fontsize())
        self.xyann = (7, heights[near.index(labels.index(self))] - ends[labels.index(self), 1])

    def _last_visible_point(self) -> np.ndarray:
        points = _finite_points(self.line)
        (left, right), (bottom, top) = sorted(self.axes.get_xlim()), sorted(self.axes.get_ylim())
        visible = (points >= (left, bottom)) & (points <= (right, top))
        inside = points[visible.all(axis=1)]
        return inside[-1] if len(inside) else points[-1]


def _finite_points(line: Line2D) -> np.ndarray:
    points = np.column_stack([np.asarray(values, dtype=float) for values in line.get_data()])
    return points[np.isfinite(points).all(axis=1)]


def _spread_out(heights: np.ndarray, gap: float) -> np.ndarray:
    """Écarte des hauteurs croissantes d'au moins ``gap`` en les bougeant le moins possible."""
    shifts = gap * np.arange(len(heights))
    groups: list[list[float]] = []  # régression isotone : [somme, effectif], moyennes croissantes
    for height in heights - shifts:
        groups.append([height, 1])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + count]
    return np.concatenate([np.full(count, total / count) for total, count in groups]) + shifts


def plot_history(
    history, *, ax: Axes, which: Literal["loss", "metric"] = "loss", y_label: str | None = None
) -> Axes:
    """Dessine la perte (ou la mesure) par époque, à l'entraînement et en validation.

    Un grand marqueur vide montre la meilleure époque de validation, celle de plus petite perte.
    ``y_label`` : « perte » ou « exactitude » par défaut.

    **Lève** : ``ValueError`` si ``which`` est inconnu ou si l'historique ne tient pas cette mesure.

    >>> from course_lib.training import History
    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> plot_history(History(train_loss=[2.0, 1.0]), ax=ax).get_xlabel()
    'époque'
    """
    check_axes(ax)
    if which not in ("loss", "metric"):
        raise ValueError(f'which vaut "loss" ou "metric" ; reçu {which!r}.')
    curves = {
        "entraînement": getattr(history, f"train_{which}"),
        "validation": getattr(history, f"validation_{which}"),
    }
    if not curves["entraînement"]:
        raise ValueError(f"Cet historique ne contient aucune valeur « {which} » : rien à dessiner.")
    for k, (name, values) in enumerate(curves.items()):
        if values:
            epochs = np.arange(1, len(values) + 1)
            (line,) = ax.plot(
                epochs, values, color=COLORS[k], linestyle=("-", "--")[k], marker=MARKERS[k],
                markersize=4, markevery=math.ceil(len(values) / 25),
            )  # fmt: skip
            label_line(ax, line, name)
    if history.best_epoch is not None:
        best = history.best_epoch + 1, curves["validation"][history.best_epoch]
        ax.plot(
            *best, linestyle="none", marker="s", markersize=10, color=COLORS[1],
            markerfacecolor="none",
        )  # fmt: skip
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    ax.grid(True)
    default = {"loss": "perte", "metric": "exactitude"}[which]
    return name_axes(ax, "époque", y_label or default)


def plot_with_interval(
    x: Sequence[float], values, *, ax: Axes, label: str, color: str | None = None
) -> Axes:
    """Dessine une moyenne sur les graines et son intervalle de confiance à 95 % (Student).

    **Formes** : ``x`` (M,), ``values`` (G, M) avec G ≥ 2 graines.

    **Lève** : ``ValueError`` si les formes ne vont pas ensemble, s'il y a moins de deux graines ou
    une valeur non finie.

    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> plot_with_interval([1, 2], [[0, 1], [2, 3]], ax=ax, label="PMC").lines[0].get_ydata()
    array([1., 2.])
    """
    check_axes(ax)
    x, values = as_array("x", x, "(M,)"), as_array("values", values, "(G, M)")
    if values.shape[1] != len(x) or len(values) < 2:
        raise ValueError(
            f"values doit être de forme (graines ≥ 2, {len(x)}), une ligne par graine ; "
            f"reçu {values.shape}."
        )
    mean, half_width = np.array([mean_interval(column) for column in values.T]).T
    rank = sum(isinstance(child, Line2D) for child in ax.get_children()) % len(MARKERS)
    (line,) = ax.plot(x, mean, marker=MARKERS[rank], color=color)
    ax.fill_between(
        x, mean - half_width, mean + half_width, color=line.get_color(), alpha=0.18, linewidth=0
    )
    ax.grid(True)
    return label_line(ax, line, label)
