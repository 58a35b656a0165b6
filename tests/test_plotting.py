"""Dessins : ce que chaque fonction pose sur l'``ax``, lisibilité, virgule décimale, refus."""

import math
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from scipy import stats

from course_lib.plotting import (
    COLORS,
    MARKERS,
    label_line,
    plot_contours,
    plot_decision_boundary,
    plot_history,
    plot_points,
    plot_trajectory,
    plot_with_interval,
    show_images,
)
from course_lib.plotting.curves import _spread_out
from course_lib.plotting.style import contrast_on_white
from course_lib.training import History

mpl.use("agg")
examples = settings(max_examples=25, deadline=None)
BLUE, ORANGE = np.array(to_rgb(COLORS[0])), np.array(to_rgb(COLORS[1]))
HISTORY = History(
    train_loss=[2.0, 1.0, 0.5, 0.25], train_metric=[0.1, 0.4, 0.7, 0.9],
    validation_loss=[2.1, 1.2, 0.9, 1.0], validation_metric=[0.1, 0.4, 0.6, 0.6], best_epoch=2,
)  # fmt: skip


@pytest.fixture(autouse=True)
def closed_figures(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("une fonction de dessin appelle show"))
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def bowl(points):
    return (points**2).sum(dim=1)


def neuron(points):
    """Le neurone du chapitre : frontière x₂ = 2 x₁ + ½, classe 1 à droite."""
    return torch.sigmoid(points @ torch.tensor([4.0, -2.0]) + 1)


def color_at(ax, x, y):
    """La couleur du pixel de coordonnées (x, y), une fois la figure rendue."""
    ax.figure.canvas.draw()
    pixels = np.asarray(ax.figure.canvas.buffer_rgba())
    column, row = ax.transData.transform((x, y))
    return pixels[pixels.shape[0] - 1 - int(row), int(column), :3] / 255


def tick_texts(axis):
    axis.figure.canvas.draw()
    return [label.get_text() for label in axis.get_ticklabels() if label.get_text()]


# --- style --------------------------------------------------------------------------------------


def test_every_color_of_the_palette_has_a_contrast_of_three_on_white():
    assert COLORS == ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
    assert all(contrast_on_white(color) >= 3 for color in COLORS)
    assert len(set(MARKERS)) == len(COLORS)
    assert contrast_on_white("white") == 1
    assert contrast_on_white("black") == pytest.approx(21)


def test_the_default_cycle_changes_the_line_style_with_the_color(ax):
    lines = [ax.plot([0, 1], [k, k])[0] for k in range(5)]
    assert [line.get_color().upper().lstrip("#") for line in lines] == [
        color.lstrip("#") for color in COLORS
    ]
    assert len({str(entry["linestyle"]) for entry in mpl.rcParams["axes.prop_cycle"]}) == 5


def test_figures_have_the_size_and_background_of_the_site():
    figure = plt.figure()
    assert tuple(figure.get_size_inches()) == (6.4, 3.8)
    assert figure.dpi == 144
    assert to_rgb(figure.get_facecolor()) == (1, 1, 1)


def test_linear_axes_and_color_bars_use_the_decimal_comma_and_a_true_minus(ax):
    image = ax.imshow([[-0.5, 0.5]], aspect="auto")
    ax.set(xlim=(-0.5, 0.5), ylim=(0, 20_000))
    bar = ax.figure.colorbar(image)
    for axis in (ax.xaxis, bar.ax.yaxis):
        assert "\N{MINUS SIGN}0,4" in tick_texts(axis)
        assert "0,4" in tick_texts(axis)
        assert not any("." in text or "-" in text for text in tick_texts(axis))
    assert "20\N{NARROW NO-BREAK SPACE}000" in tick_texts(ax.yaxis)
    assert "5000" in tick_texts(ax.yaxis)


def test_the_decimal_comma_survives_a_cleared_axis_and_a_large_scale(ax):
    ax.clear()
    ax.plot([0, 1], [0, 2.5e-6])
    assert "0,5" in tick_texts(ax.yaxis)
    assert r"\times\mathdefault{10^{−6}}" in ax.yaxis.get_offset_text().get_text()


def test_log_axes_use_the_decimal_comma_and_powers_of_ten(ax):
    ax.plot([1, 2], [0.05, 1e4])
    ax.set_yscale("log")
    assert {"0,1", "1", "10"} <= set(tick_texts(ax.yaxis))
    assert r"$\mathdefault{10^{4}}$" in tick_texts(ax.yaxis)


def test_log_axes_of_a_narrow_range_put_the_comma_in_the_mantissa(ax):
    ax.set(xscale="log", xlim=(3.15e3, 3.45e3))
    texts = [label.get_text() for label in ax.get_xticklabels(minor=True)]
    ax.figure.canvas.draw()
    texts += tick_texts(ax.xaxis) + [label.get_text() for label in ax.get_xticklabels(minor=True)]
    assert any(r"3{,}2\times10^{3}" in text for text in texts)
    assert not any("." in text for text in texts)


DRAWINGS = {
    "points": lambda ax: plot_points(torch.eye(2), torch.tensor([0, 1]), ax=ax),
    "frontière": lambda ax: plot_decision_boundary(neuron, ax=ax, levels=(0.1, 0.5, 0.9)),
    "niveaux": lambda ax: plot_contours(bowl, ax=ax, x_range=(-1, 1), y_range=(-1, 1)),
    "trajectoire": lambda ax: plot_trajectory(torch.eye(2), ax=ax, label="descente"),
    "historique": lambda ax: plot_history(HISTORY, ax=ax),
    "intervalle": lambda ax: plot_with_interval(
        [1, 2], [[0, 1], [1, 3]], ax=ax, label="PMC", color=COLORS[3]
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_drawing_returns_its_axes_and_writes_readable_text(name, ax):
    assert DRAWINGS[name](ax) is ax
    ax.figure.canvas.draw()
    written = [text for text in ax.findobj(Text) if text.get_text().strip()]
    assert written
    assert all(text.get_fontsize() >= 9 for text in written)
    assert all(contrast_on_white(text.get_color()) >= 4.5 for text in written)


# --- plan ---------------------------------------------------------------------------------------


def test_points_carry_the_color_and_the_marker_of_their_class(ax):
    x, y = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), torch.tensor([1, 0, 1])
    plot_points(x, y, ax=ax)
    zero, one = ax.collections
    np.testing.assert_allclose(zero.get_offsets(), [[2, 3]])
    np.testing.assert_allclose(one.get_offsets(), [[0, 1], [4, 5]])
    np.testing.assert_allclose(zero.get_facecolor()[0, :3], BLUE)
    np.testing.assert_allclose(one.get_facecolor()[0, :3], ORANGE)
    np.testing.assert_allclose(one.get_edgecolor()[0, :3], 0)  # contraste sur une région teintée
    assert len(zero.get_paths()[0].vertices) != len(one.get_paths()[0].vertices)
    assert [one.get_label(), ax.get_xlabel()] == ["classe 1", "$x_1$"]


def test_decision_boundary_is_the_line_of_the_neuron_and_tints_its_right_side(ax):
    plot_decision_boundary(neuron, ax=ax)
    boundary = ax.collections[-1].get_paths()[0].vertices
    np.testing.assert_allclose(boundary[:, 1], 2 * boundary[:, 0] + 0.5, atol=1e-2)
    left, right = color_at(ax, -2, 2), color_at(ax, 2, -2)
    assert np.abs(1 - left - 0.16 * (1 - BLUE)).max() < 0.01
    assert np.abs(1 - right - 0.16 * (1 - ORANGE)).max() < 0.01


def test_decision_boundary_thickens_the_middle_level_and_labels_each_with_a_comma(ax):
    plot_decision_boundary(neuron, ax=ax, levels=(0.9, 0.1, 0.5))
    widths = ax.collections[-1].get_linewidths()
    assert widths[1] > widths[0] == widths[2]
    assert {text.get_text() for text in ax.texts} == {"0,1", "0,5", "0,9"}


@pytest.mark.parametrize("answer", [0.1, 0.9])
def test_decision_boundary_of_a_constant_answer_tints_the_whole_plane(ax, answer):
    plot_decision_boundary(lambda points: torch.full((len(points),), answer), ax=ax)
    expected = BLUE if answer < 0.5 else ORANGE
    assert np.abs(1 - color_at(ax, 1, 1) - 0.16 * (1 - expected)).max() < 0.01


def test_decision_regions_of_several_classes_follow_the_largest_logit(ax):
    centers = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    plot_decision_boundary(lambda points: -torch.cdist(points, centers), ax=ax)
    for center, color in zip(centers, COLORS, strict=False):
        tint = 1 - 0.16 * (1 - np.array(to_rgb(color)))
        np.testing.assert_allclose(color_at(ax, *center.tolist()), tint, atol=0.01)


@pytest.mark.parametrize("shape", ["(M,)", "(M, 1)"])
def test_contours_of_a_bowl_are_circles_at_the_asked_levels(ax, shape):
    f = bowl if shape == "(M,)" else (lambda points: bowl(points)[:, None])
    plot_contours(f, ax=ax, x_range=(-2, 2), y_range=(-2, 2), levels=(1.0, 2.25))
    radii = [np.hypot(*path.vertices.T) for path in ax.collections[-1].get_paths()]
    np.testing.assert_allclose(radii[0], 1.0, atol=1e-3)
    np.testing.assert_allclose(radii[1], 1.5, atol=1e-3)
    assert color_at(ax, 0, 0).sum() < color_at(ax, 1.9, 1.9).sum()  # le creux est plus sombre


@pytest.mark.parametrize("log", [False, True])
def test_an_integer_of_levels_is_spread_evenly_or_geometrically(ax, log):
    plot_contours(
        lambda p: bowl(p) + 0.01, ax=ax, x_range=(-2, 2), y_range=(-2, 2), levels=8, log=log
    )
    levels = ax.collections[-1].levels
    steps = np.diff(np.log(levels) if log else levels)
    assert len(levels) == 8
    np.testing.assert_allclose(steps, steps[0])


def test_trajectory_goes_through_every_point_from_the_circle_to_the_diamond(ax):
    path = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    plot_trajectory(path, ax=ax, label="Adam", color=COLORS[2])
    line, start, end = ax.lines
    np.testing.assert_allclose(line.get_xydata(), path)
    np.testing.assert_allclose(start.get_xydata(), [[0, 0]])
    np.testing.assert_allclose(end.get_xydata(), [[3, 1]])
    assert (start.get_marker(), end.get_marker()) == ("o", "D")
    assert {line.get_color() for line in ax.lines} == {COLORS[2]}


def test_successive_trajectories_take_the_next_color(ax):
    for k in range(3):
        plot_trajectory(torch.eye(2) + k, ax=ax)
    assert [line.get_color().lstrip("#") for line in ax.lines[::3]] == [
        color.lstrip("#") for color in COLORS[:3]
    ]


# --- courbes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "y_label"), [("loss", "perte"), ("metric", "exactitude")])
def test_history_draws_both_curves_by_epoch_from_one(ax, which, y_label):
    plot_history(HISTORY, ax=ax, which=which)
    train, validation, best = ax.lines
    np.testing.assert_allclose(train.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(train.get_ydata(), getattr(HISTORY, f"train_{which}"))
    np.testing.assert_allclose(validation.get_ydata(), getattr(HISTORY, f"validation_{which}"))
    expected = getattr(HISTORY, f"validation_{which}")[2]
    np.testing.assert_allclose(best.get_xydata(), [[3, expected]])
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("époque", y_label)
    assert [text.get_text() for text in ax.texts] == ["entraînement", "validation"]


def test_history_of_a_divergence_draws_what_is_finite(ax):
    diverged = History(train_loss=[1.0, 50.0, math.inf], diverged=True)
    plot_history(diverged, ax=ax, y_label="erreur")
    ax.figure.canvas.draw()
    np.testing.assert_allclose(ax.texts[0].xy, [2, 50])
    assert ax.get_ylabel() == "erreur"


def test_interval_is_the_mean_and_the_student_interval_of_scipy(ax):
    values = np.random.default_rng(0).normal(size=(5, 3))
    plot_with_interval([1, 2, 4], values, ax=ax, label="PMC")
    low, high = stats.t.interval(0.95, 4, loc=values.mean(axis=0), scale=stats.sem(values, axis=0))
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.c_[[1, 2, 4], values.mean(axis=0)])
    band = ax.collections[0].get_paths()[0].vertices
    for x, bottom, top in zip([1, 2, 4], low, high, strict=True):
        heights = band[np.isclose(band[:, 0], x), 1]
        assert (heights.min(), heights.max()) == pytest.approx((bottom, top))


def test_successive_intervals_differ_by_color_and_marker(ax):
    for name in ("PMC", "CNN"):
        plot_with_interval([1, 2], [[0, 1], [1, 2]], ax=ax, label=name)
    first, second = ax.lines
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_end_labels_stay_inside_the_figure_and_never_overlap(ax, scale):
    for k in range(5):
        (line,) = ax.plot([1, 2, 3], [1, 2, 3 + 0.01 * k])
        label_line(ax, line, f"courbe numéro {k}")
    ax.set_yscale(scale)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    frame = ax.figure.bbox
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
    line_end = ax.transData.transform((3, 3.02))
    assert boxes[2].y0 < line_end[1] < boxes[2].y1  # le groupe reste centré sur les courbes


def test_end_label_follows_the_last_visible_point(ax):
    (line,) = ax.plot([0, 1, 2, 3], [0, 1, 20, np.nan])
    label_line(ax, line, "ReLU")
    ax.set_ylim(0, 2)
    ax.figure.canvas.draw()
    np.testing.assert_allclose(ax.texts[0].xy, [1, 1])
    ax.set_ylim(0, 30)
    ax.figure.canvas.draw()
    np.testing.assert_allclose(ax.texts[0].xy, [2, 20])


@examples
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.floats(0.1, 20))
def test_spreading_keeps_the_order_the_gap_and_the_mean(heights, gap):
    heights = np.sort(heights)
    spread = _spread_out(heights, gap)
    assert (np.diff(spread) >= gap - 1e-9).all()
    assert spread.mean() == pytest.approx(heights.mean(), abs=1e-9)
    if (np.diff(heights) >= gap).all():
        np.testing.assert_allclose(spread, heights, atol=1e-9)


# --- images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 4, 5), (3, 3, 4, 5)])
def test_images_are_shown_upright_in_their_order(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    axes = show_images(images, n_columns=2, titles=["a", "b", "c"], value_range=(0, 1))
    assert [ax.get_title() for ax in axes] == ["a", "b", "c"]
    for ax, image in zip(axes, images, strict=True):
        expected = image.permute(1, 2, 0) if image.ndim == 3 else image[..., None]
        shown = np.asarray(ax.images[0].get_array()).reshape(expected.shape)
        np.testing.assert_allclose(shown, expected)
        assert ax.images[0].get_clim() == (0, 1)
        assert ax.yaxis_inverted()
    assert not axes[0].figure.axes[3].axison


def test_one_scale_is_shared_by_all_images_and_black_is_the_lowest():
    axes = show_images(torch.tensor([[[0.0, 1.0]], [[2.0, 4.0]]]))
    assert [ax.images[0].get_clim() for ax in axes] == [(0, 4), (0, 4)]
    assert axes[0].images[0].get_cmap()(0.0)[:3] == (0, 0, 0)


def test_a_range_around_zero_is_white_at_zero_violet_below_orange_above():
    ax = show_images(torch.tensor([[[-1.0, 0.0, 1.0]]]), value_range=(-1, 1))[0]
    negative, zero, positive = ax.images[0].cmap(ax.images[0].norm([-0.8, 0.0, 0.8]))[:, :3]
    assert zero.min() > 0.95
    assert negative[2] > negative[0]  # plus de bleu que de rouge
    assert positive[0] > positive[2]


def test_images_are_drawn_on_the_given_axes():
    figure, given_axes = plt.subplots(1, 3)
    axes = show_images(torch.rand(2, 4, 4), ax=given_axes)
    assert [ax.figure for ax in axes] == [figure, figure]
    assert [bool(ax.images) for ax in given_axes] == [True, True, False]
    assert len(show_images([torch.rand(4, 4)], ax=plt.subplots()[1])) == 1


# --- refus --------------------------------------------------------------------------------------

POINTS = torch.zeros(3, 2)
BAD_CALLS = {
    "points d'un autre plan": (lambda ax: plot_points(torch.zeros(3, 3), torch.zeros(3), ax=ax),
                               r"x doit être.*\(N, 2\).*\(3, 3\)"),
    "points sans étiquette": (lambda ax: plot_points(POINTS, torch.zeros(2), ax=ax),
                              "3 points pour 2 étiquettes"),
    "sixième classe": (lambda ax: plot_points(POINTS, torch.tensor([0, 5, 1]), ax=ax), "de 0 à 4"),
    "points NaN": (lambda ax: plot_points(POINTS / 0, torch.zeros(3), ax=ax), "x contient des NaN"),
    "prédiction scalaire": (lambda ax: plot_decision_boundary(lambda p: p.sum(), ax=ax),
                            "doit rendre"),
    "prédiction infinie": (lambda ax: plot_decision_boundary(lambda p: p[:, 0] / 0, ax=ax),
                           "non finies"),
    "six classes": (lambda ax: plot_decision_boundary(lambda p: p.repeat(1, 3), ax=ax),
                    "Au plus 5 classes"),
    "étendue renversée": (lambda ax: plot_decision_boundary(neuron, ax=ax, x_range=(1, 0)),
                          r"x_range.*reçu \(1, 0\)"),
    "logarithme de zéro": (lambda ax: plot_contours(lambda p: p[:, 0], ax=ax, x_range=(-1, 1),
                                                    y_range=(0, 1), log=True), "minimum est -1"),
    "fonction constante": (lambda ax: plot_contours(lambda p: 0 * p[:, 0], ax=ax, x_range=(-1, 1),
                                                    y_range=(0, 1)), "constante, égale à 0"),
    "chemin vide": (lambda ax: plot_trajectory(torch.zeros(0, 2), ax=ax), "path doit être"),
    "chemin NaN": (lambda ax: plot_trajectory(POINTS / 0, ax=ax), "path contient des NaN"),
    "courbe inconnue": (lambda ax: plot_history(HISTORY, ax=ax, which="perte"), "reçu 'perte'"),
    "historique vide": (lambda ax: plot_history(History(), ax=ax), "aucune valeur"),
    "une graine": (lambda ax: plot_with_interval([1, 2], [[0, 1]], ax=ax, label="x"), r"\(1, 2\)"),
    "graines en colonnes": (lambda ax: plot_with_interval([1, 2], [[0], [1]], ax=ax, label="x"),
                            r"graines ≥ 2, 2.*reçu \(2, 1\)"),
    "courbe vide": (lambda ax: label_line(ax, ax.plot([])[0], "vide"), "« vide »"),
    "pas une courbe": (lambda ax: label_line(ax, "courbe", "x"), "reçu 'courbe'"),
    "pas un ax": (lambda ax: plot_points(POINTS, torch.zeros(3), ax=ax.figure),
                  r"reçu Figure.*plt\.subplots"),
    "une image nue": (lambda ax: show_images(torch.zeros(4, 4)), r"image\[None\]"),
    "deux canaux": (lambda ax: show_images(torch.zeros(1, 2, 4, 4)), r"reçu \(1, 2, 4, 4\)"),
    "couleur hors de [0 ; 1]": (lambda ax: show_images(torch.full((1, 3, 2, 2), 2.0)),
                                r"\[0 ; 1\] ; reçu \[2 ; 2\]"),
    "aucune image": (lambda ax: show_images(torch.zeros(0, 4, 4)), "vides"),
    "image NaN": (lambda ax: show_images(torch.full((1, 4, 4), torch.nan)), "non finies"),
    "titres manquants": (lambda ax: show_images(torch.zeros(2, 4, 4), titles=["a"]), "1 titres"),
    "Axes manquants": (lambda ax: show_images(torch.zeros(2, 4, 4), ax=ax), "1 Axes pour 2"),
    "colonnes": (lambda ax: show_images(torch.zeros(2, 4, 4), n_columns=0), "n_columns.*reçu 0"),
    "étendue d'image": (lambda ax: show_images(torch.zeros(2, 4, 4), value_range=(1, 1)),
                        r"value_range.*reçu \(1, 1\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_input_is_refused_in_french(case, ax):
    call, message = BAD_CALLS[case]
    with pytest.raises(ValueError, match=message):
        call(ax)


@examples
@given(st.lists(st.integers(0, 3), max_size=4))
def test_any_shape_of_points_is_drawn_or_refused(shape):
    ax = plt.figure().add_subplot()
    x = torch.zeros(shape)
    labels = torch.zeros(shape[0] if shape else 1, dtype=torch.int64)
    if len(shape) == 2 and shape[0] > 0 and shape[1] == 2:
        assert plot_points(x, labels, ax=ax) is ax
    else:
        with pytest.raises(ValueError, match="x doit être un tableau"):
            plot_points(x, labels, ax=ax)
    plt.close(ax.figure)


def test_the_style_is_applied_on_import():
    assert mpl.rcParams["axes.spines.top"] is False
    assert min(mpl.rcParams[f"{axis}tick.labelsize"] for axis in "xy") >= 9
