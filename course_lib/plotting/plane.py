"""Dessins du plan : points, frontière de décision, lignes de niveau, trajectoires."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib import patheffects
from matplotlib.axes import Axes

from course_lib.plotting._inputs import as_array, check_axes, name_axes
from course_lib.plotting.curves import label_line
from course_lib.plotting.style import COLORS, MARKERS, tint, to_french

GRID_SIZE = 200  # points par côté d'un plan évalué
Function = Callable[[torch.Tensor], torch.Tensor]


def plot_points(x: torch.Tensor, y: torch.Tensor, *, ax: Axes) -> Axes:
    """Dessine un nuage de points du plan, une couleur et un marqueur par classe.

    **Formes** : ``x`` (N, 2), ``y`` (N,) entiers de 0 à 4. ``ax.legend()`` nomme les classes.

    **Lève** : ``ValueError`` si les formes ne vont pas ensemble ou s'il y a plus de cinq classes.

    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> len(plot_points(torch.zeros(3, 2), torch.tensor([0, 1, 1]), ax=ax).collections)
    2
    """
    check_axes(ax)
    points, labels = as_array("x", x, "(N, 2)"), as_array("y", y, "(N,)")
    if len(points) != len(labels):
        raise ValueError(f"{len(points)} points pour {len(labels)} étiquettes : il en faut autant.")
    if not np.isin(labels, range(len(COLORS))).all():
        raise ValueError(f"Les classes sont des entiers de 0 à 4 ; reçu {np.unique(labels)}.")
    for k in np.unique(labels).astype(int):  # bord noir : contraste ≥ 3 même sur une région teintée
        ax.scatter(
            *points[labels == k].T, s=26, c=COLORS[k], marker=MARKERS[k],
            edgecolors="black", linewidths=0.5, zorder=2.5, label=f"classe {k}",
        )  # fmt: skip
    return name_axes(ax, "$x_1$", "$x_2$")


def plot_decision_boundary(
    predict: Function,
    *,
    ax: Axes,
    x_range: tuple[float, float] = (-3, 3),
    y_range: tuple[float, float] = (-3, 3),
    levels: Sequence[float] = (0.5,),
) -> Axes:
    """Dessine les régions où ``predict`` répond chaque classe, et leur frontière.

    ``predict`` reçoit des points (M, 2) et rend (M,) ou (M, 1) valeurs, coupées aux ``levels``
    croissants (celui du milieu est épais : la frontière), ou (M, C) *logits*, dont le plus grand
    l'emporte. Chaque région a la teinte de sa classe dans ``plot_points``.

    **Lève** : ``ValueError`` si ``predict`` rend une autre forme, ou si une étendue est vide.

    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> plot_decision_boundary(lambda x: torch.sigmoid(x[:, 0]), ax=ax).get_xlim() == (-3, 3)
    True
    """
    check_axes(ax)
    grid_x, grid_y, values = _on_grid(predict, x_range, y_range)
    if values.shape[-1] == 1:
        _draw_levels(ax, grid_x, grid_y, values[..., 0], sorted(levels))
    else:
        _draw_classes(ax, grid_x, grid_y, values)
    ax.grid(False)
    ax.set(xlim=x_range, ylim=y_range)
    return name_axes(ax, "$x_1$", "$x_2$")


def _draw_levels(ax, grid_x, grid_y, values, levels) -> None:
    ends = min(values.min(), levels[0]) - 1, max(values.max(), levels[-1]) + 1
    blend = np.linspace(0, 1, len(levels) + 1)[:, None]
    tints = (1 - blend) * tint(COLORS[0]) + blend * tint(COLORS[1])
    ax.contourf(grid_x, grid_y, values, levels=[ends[0], *levels, ends[1]], colors=tints)
    crossed = [level for level in levels if values.min() < level < values.max()]
    if crossed:
        widths = [2.2 if level == levels[len(levels) // 2] else 1.0 for level in crossed]
        lines = ax.contour(
            grid_x, grid_y, values, levels=crossed, colors="black", linewidths=widths,
            linestyles=["-" if width > 1 else "--" for width in widths],
        )  # fmt: skip
        if len(levels) > 1:
            ax.clabel(lines, fmt=lambda level: to_french(f"{level:g}"), fontsize=9)


def _draw_classes(ax, grid_x, grid_y, scores) -> None:
    n_classes = scores.shape[-1]
    if n_classes > len(COLORS):
        raise ValueError(f"Au plus {len(COLORS)} classes se distinguent ; reçu {n_classes}.")
    for k in range(n_classes):
        lead = scores[..., k] - np.delete(scores, k, axis=-1).max(axis=-1)  # > 0 : k l'emporte
        if lead.max() > 0:
            ax.contourf(grid_x, grid_y, lead, levels=[0, lead.max() + 1], colors=[tint(COLORS[k])])
        if lead.min() < 0 < lead.max():
            ax.contour(grid_x, grid_y, lead, levels=[0], colors="black", linewidths=1.6)


def plot_contours(
    f: Function,
    *,
    ax: Axes,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    levels: int | Sequence[float] = 20,
    log: bool = False,
) -> Axes:
    """Dessine les lignes de niveau d'une fonction du plan, comme une carte d'altitude.

    ``f`` reçoit des points (M, 2) et rend (M,) valeurs. Avec ``log``, des niveaux en progression
    géométrique, pour une fonction strictement positive.

    **Lève** : ``ValueError`` si ``f`` rend une autre forme ou une constante, si une étendue est
    vide, ou si ``log`` rencontre une valeur négative ou nulle.

    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> bowl = lambda p: (p**2).sum(dim=1)
    >>> plot_contours(bowl, ax=ax, x_range=(-1, 1), y_range=(-2, 2)).get_ylim() == (-2, 2)
    True
    """
    check_axes(ax)
    grid_x, grid_y, values = _on_grid(f, x_range, y_range)
    values = values[..., 0]
    if log and values.min() <= 0:
        raise ValueError(
            f"log=True demande une fonction > 0 ; son minimum est {values.min():.3g}. "
            "Retirez log, ou ajoutez une constante à la fonction."
        )
    if values.min() == values.max():
        raise ValueError(f"La fonction est constante, égale à {values.min():g} : aucun niveau.")
    if isinstance(levels, int):
        spacing = np.geomspace if log else np.linspace
        levels = spacing(values.min(), values.max(), levels + 2)[1:-1]
    levels = np.sort(levels)
    ends = min(values.min(), levels[0]) - 1, max(values.max(), levels[-1]) + 1
    depth = np.linspace(1, 0, len(levels) + 1)[:, None]  # le creux est plus sombre
    ax.contourf(
        grid_x, grid_y, values, levels=[ends[0], *levels, ends[1]],
        colors=depth * tint(COLORS[0]) + 1 - depth, zorder=0,
    )  # fmt: skip
    crossed = [level for level in levels if values.min() < level < values.max()]
    if crossed:
        ax.contour(
            grid_x, grid_y, values, levels=crossed, colors="#888888", linewidths=0.7, zorder=1
        )
    ax.grid(False)
    ax.set(xlim=x_range, ylim=y_range)
    return ax


def plot_trajectory(
    path: torch.Tensor, *, ax: Axes, label: str | None = None, color: str | None = None
) -> Axes:
    """Dessine le chemin d'une descente : rond vide au départ, losange plein à l'arrivée.

    **Formes** : ``path`` (T, 2), T ≥ 1. Un chemin qui sort du cadre est coupé au bord.

    **Lève** : ``ValueError`` si la forme est autre ou si le chemin contient un NaN.

    >>> import matplotlib.pyplot as plt
    >>> _, ax = plt.subplots()
    >>> len(plot_trajectory(torch.zeros(4, 2), ax=ax, label="SGD").lines)
    3
    """
    check_axes(ax)
    points = as_array("path", path, "(T, 2)")
    every = math.ceil(len(points) / 40)  # au-delà, les marqueurs se confondent
    outline = [patheffects.withStroke(linewidth=3.5, foreground="white")]
    (line,) = ax.plot(
        *points.T, marker=".", markevery=every, color=color, zorder=3, path_effects=outline
    )
    ends = {"linestyle": "none", "color": line.get_color(), "zorder": 4}
    ax.plot(*points[0], marker="o", markersize=8, markerfacecolor="white", **ends)
    ax.plot(*points[-1], marker="D", markersize=7, markeredgecolor="white", **ends)
    return ax if label is None else label_line(ax, line, label)


def _on_grid(f: Function, x_range, y_range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Évalue ``f`` sur une grille ; rend les abscisses, les ordonnées, les valeurs (G, G, C)."""
    for name, (low, high) in (("x_range", x_range), ("y_range", y_range)):
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"{name} doit être (début, fin), début < fin ; reçu ({low}, {high}).")
    grid_x, grid_y = np.meshgrid(np.linspace(*x_range, GRID_SIZE), np.linspace(*y_range, GRID_SIZE))
    points = torch.tensor(np.column_stack([grid_x.ravel(), grid_y.ravel()]), dtype=torch.float32)
    with torch.no_grad():
        values = torch.as_tensor(f(points)).cpu()
    if values.ndim not in (1, 2) or len(values) != len(points):
        raise ValueError(
            f"La fonction reçoit {len(points)} points (M, 2) et doit rendre (M,) ou (M, C) "
            f"valeurs ; elle a rendu {tuple(values.shape)}."
        )
    values = values.double().reshape(GRID_SIZE, GRID_SIZE, -1).numpy()
    if not np.isfinite(values).all():
        raise ValueError("La fonction rend des valeurs non finies dans ce cadre : réduisez-le.")
    return grid_x, grid_y, values
