"""Tests de course_lib.data.glyphs et de course_lib.data.glyph_shapes."""

import math
import time

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import nn

from course_lib.data import make_glyphs
from course_lib.data.glyph_shapes import Stroke, read_styles
from course_lib.data.glyphs import _ink, _pens, _place, _rasterize, _spline
from course_lib.runtime import make_generator, set_seed


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(8, 40), seed=st.integers(0, 1000))
def test_images_have_the_right_shape_range_and_levels(n, size, seed):
    data = make_glyphs(n, generator=make_generator(seed), size=size)
    assert data.x.shape == (n, 1, size, size)
    assert data.x.dtype == torch.float32
    assert data.y.dtype == torch.int64
    assert data.x.min() == 0
    assert data.x.max() <= 1
    levels = data.x * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert data.y.bincount(minlength=10).max() <= math.ceil(n / 10)
    assert (data.x.flatten(1).amax(1) > 0.3).all()


def test_same_seed_same_images_whatever_the_global_generator():
    set_seed(1)
    first = make_glyphs(600, generator=make_generator(0))
    set_seed(2)
    state = torch.get_rng_state()
    again = make_glyphs(600, generator=make_generator(0))
    other = make_glyphs(600, generator=make_generator(1))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)
    assert torch.equal(state, torch.get_rng_state())


def test_ten_thousand_images_take_less_than_five_seconds():
    generator = make_generator(0)
    start = time.process_time()
    data = make_glyphs(10_000, generator=generator)
    assert time.process_time() - start < 5
    assert data.y.bincount().tolist() == [1000] * 10


def test_no_two_images_are_alike_and_the_border_stays_empty():
    data = make_glyphs(1000, generator=make_generator(0))
    assert data.x.flatten(1).unique(dim=0).shape[0] == 1000
    border = torch.cat([data.x[:, 0, [0, -1]].flatten(1), data.x[:, 0, :, [0, -1]].flatten(1)], 1)
    assert border.mean() < 0.01


def count_holes(image):
    """Nombre de régions de fond que l'encre enferme."""
    _, regions = ndimage.label(image.numpy() < 0.25)
    return regions - 1


def test_glyphs_have_the_loops_of_their_digits():
    data = make_glyphs(2000, generator=make_generator(0), size=56)
    holes = torch.tensor([count_holes(image[0]) for image in data.x])
    usual = {0: {1}, 1: {0}, 2: {0, 1}, 3: {0}, 4: {0, 1}, 5: {0}, 6: {1}, 7: {0}, 8: {2}, 9: {1}}
    for digit, expected in usual.items():
        found = holes[data.y == digit]
        matches = torch.stack([found == k for k in expected]).any(0)
        assert matches.float().mean() > 0.7, f"chiffre {digit}, trous {found.bincount()}"


def test_glyphs_are_upright_and_not_mirrored():
    data = make_glyphs(2000, generator=make_generator(0))
    mean = torch.stack([data.x[data.y == k].mean(0)[0] for k in range(10)])  # (10, 28, 28)
    top, bottom = mean[:, :14].sum((1, 2)), mean[:, 14:].sum((1, 2))
    assert top[9] > bottom[9]
    assert top[7] > bottom[7]
    assert bottom[6] > top[6]
    left, right = mean[:, :, :14].sum((1, 2)), mean[:, :, 14:].sum((1, 2))
    assert right[3] > left[3]
    assert left[6] > right[6]


def test_styles_vary_within_a_digit():
    data = make_glyphs(1000, generator=make_generator(0), size=56)
    ink = data.x.sum((1, 2, 3))
    for digit in range(10):
        chosen = ink[data.y == digit]
        assert chosen.std() / chosen.mean() > 0.2  # épaisseurs et tailles
    four_holes = [count_holes(image[0]) for image in data.x[data.y == 4]]
    assert {0, 1} <= set(four_holes)  # ouvert et fermé


def test_a_straight_stroke_is_inked_as_its_formula_says():
    """Oracle : la courbe d'intensité 1 − exp(−A exp(−d² / 2σ²)) en travers d'un trait droit."""
    count, amount, sigma = 400, 3.0, 0.02
    points = torch.stack([torch.full((count,), 0.5), torch.linspace(-0.5, 1.5, count)], 1)[None]
    weights = torch.full((1, count), amount * 2 / (count - 1) / (sigma * math.sqrt(2 * math.pi)))
    row = _rasterize(points, weights, 28)[0, 14]
    distance = (torch.arange(28) + 0.5) / 28 - 0.5
    expected = 1 - torch.exp(-amount * torch.exp(-(distance**2) / (2 * sigma**2)))
    torch.testing.assert_close(row, expected, atol=1e-3, rtol=0)


def test_x_runs_along_columns_and_y_along_rows():
    points = torch.tensor([[[0.9, 0.1]]])  # à droite, en haut
    image = _rasterize(points, torch.ones(1, 1), 10)[0]
    assert image[:2, 8:].sum() > 0.9 * image.sum()


def test_splines_pass_through_their_points_and_keep_straight_lines_straight():
    points = [(0.0, 0.0), (0.2, 0.1), (0.3, 0.4), (0.0, 0.6)]
    curve = _spline(Stroke(points, set()), 400) @ torch.tensor(points)
    for point in points:
        assert (curve - torch.tensor(point)).norm(dim=1).min() < 5e-3
    line = torch.stack([torch.arange(4.0), 2 * torch.arange(4.0)], 1)
    drawn = _spline(Stroke([tuple(p) for p in line.tolist()], set()), 50) @ line
    torch.testing.assert_close(drawn[:, 1], 2 * drawn[:, 0], atol=1e-5, rtol=0)
    assert (_spline(Stroke(points, {1}), 30).sum(1) - 1).abs().max() < 1e-5


def test_a_corner_is_sharp_and_a_plain_point_is_smooth():
    points = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
    turns = []
    for corners in ({1}, set()):
        steps = (_spline(Stroke(points, corners), 401) @ torch.tensor(points)).diff(dim=0)
        directions = F.normalize(steps, dim=1)
        turns.append((directions[1:] * directions[:-1]).sum(1).min())
    assert turns[0] < 0.1  # un angle droit
    assert turns[1] > 0.99


def test_a_lifted_pen_leaves_no_ink():
    pens = _pens()[0]
    k, pen = next((k, pen) for k, pen in enumerate(pens) if not pen.down.all())
    second = torch.cat([torch.zeros(1), (~pen.down).cumsum(0)])  # 0 puis 1 : le trait
    still = (0.2 + 0.6 * second)[None, :, None].expand(1, -1, 2)  # immobile, saute, immobile
    assert (_ink(still, torch.tensor([k]), make_generator(0)) == 0).all()
    moving = pen.basis @ pen.controls
    assert (_ink(moving[None], torch.tensor([k]), make_generator(0)) > 0).all()


def test_drawings_are_kept_inside_the_page():
    points = torch.randn(50, 30, 2) * torch.linspace(0.05, 1, 50)[:, None, None]
    placed = _place(points, 10 * torch.randn(50, 1, 2))
    assert placed.min() >= 0.06 - 1e-5
    assert placed.max() <= 0.94 + 1e-5


def test_every_digit_has_several_readable_styles():
    for digit in range(10):
        styles = read_styles(digit)
        assert len(styles) >= 2
        for stroke in (stroke for style in styles for stroke in style):
            assert len(stroke.points) >= 2
            assert all(-0.4 <= x <= 0.4 and -0.05 <= y <= 1.05 for x, y in stroke.points)
            assert all(0 < k < len(stroke.points) - 1 for k in stroke.corners)


def test_a_small_network_reads_held_out_glyphs_better_than_a_linear_model():
    generator = make_generator(0)
    train, test = (make_glyphs(n, generator=generator) for n in (8000, 2000))
    set_seed(0)
    cnn = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 49, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    reached = [learn(model, train, test, generator) for model in (cnn, linear)]
    assert reached[0] >= 0.97
    assert 0.8 < reached[1] < reached[0]  # ni triviale, ni illisible


def learn(model, train, test, generator, n_epochs=4):
    """Boucle d'entraînement écrite à la main : course_lib.data ne dépend pas de training."""
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(n_epochs):
        for batch in torch.randperm(train.x.shape[0], generator=generator).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(train.x[batch]), train.y[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return (model(test.x).argmax(1) == test.y).float().mean().item()


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "10"])
def test_a_wrong_number_of_images_is_refused(n):
    with pytest.raises(ValueError, match="n doit être un entier ≥ 1, reçu"):
        make_glyphs(n, generator=make_generator(0))


@pytest.mark.parametrize("size", [0, 7, 28.0, None])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(ValueError, match="size doit être un entier ≥ 8, reçu"):
        make_glyphs(10, generator=make_generator(0), size=size)


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(ValueError, match="make_generator"):
        make_glyphs(10, generator=0)
