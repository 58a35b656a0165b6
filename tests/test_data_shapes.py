"""Tests de course_lib.data.shapes."""

import colorsys
import math
import time

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.data import COLOR_NAMES, SHAPE_NAMES, SHAPE_SYMMETRIES, make_shapes
from course_lib.data.shapes import (
    _distance,
    _draw_backgrounds,
    _draw_classes,
    _draw_objects,
    _Objects,
    _render,
)
from course_lib.runtime import make_generator, set_seed


def scenes_of(n, **options):
    return make_shapes(n, generator=make_generator(options.pop("seed", 0)), **options)


def main_mask(scenes):
    """Partie visible (N, H, W) de l'objet principal."""
    return scenes.mask == 1 + scenes.shape[:, None, None]


def mean_hues(scenes):
    """Teinte (N,), en degrés, de la couleur moyenne de l'objet principal."""
    inside = main_mask(scenes)[:, None]
    rgb = (scenes.x * inside).sum((2, 3)) / inside.sum((2, 3))
    return torch.tensor([360 * colorsys.rgb_to_hsv(*pixel)[0] for pixel in rgb.tolist()])


def hue_errors(scenes):
    """Écart (N,) à la teinte de la couleur nommée, dans [−180 ; 180[."""
    return (mean_hues(scenes) - 60 * scenes.color + 180) % 360 - 180


@settings(max_examples=10, deadline=None)
@given(
    n=st.integers(1, 30),
    size=st.integers(16, 48),
    difficulty=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_scenes_have_the_announced_shapes_types_and_ranges(n, size, difficulty, seed):
    scenes = scenes_of(n, size=size, difficulty=difficulty, seed=seed)
    assert scenes.x.shape == (n, 3, size, size)
    assert scenes.mask.shape == (n, size, size)
    assert scenes.position.shape == (n, 2)
    assert [field.dtype for field in scenes] == [
        torch.float32, torch.int64, torch.int64, torch.float32, torch.float32, torch.int64,
    ]  # fmt: skip
    assert 0 <= scenes.x.min() <= scenes.x.max() <= 1
    assert 0 <= scenes.mask.min() <= scenes.mask.max() <= len(SHAPE_NAMES)
    for labels in (scenes.shape, scenes.color):
        counts = labels.bincount(minlength=6)
        assert counts.max() - counts.min() <= 1
    assert main_mask(scenes).any(2).any(1).all()


def test_same_seed_same_scenes_whatever_the_global_generator():
    set_seed(1)
    first = scenes_of(600)
    set_seed(2)
    state = torch.get_rng_state()
    again, other = scenes_of(600), scenes_of(600, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.x, other.x)
    assert torch.equal(state, torch.get_rng_state())


def test_five_thousand_scenes_take_less_than_five_seconds():
    start = time.process_time()
    scenes_of(5000)
    assert time.process_time() - start < 5


def test_neither_shape_nor_color_can_be_guessed_from_the_position():
    scenes = scenes_of(6000)
    deviation = scenes.position.std(0)
    for labels in (scenes.shape, scenes.color):
        for k in range(6):
            mean = scenes.position[labels == k].mean(0)
            assert ((mean - 0.5).abs() < 4.5 * deviation / math.sqrt(1000)).all()
    pairs = torch.bincount(6 * scenes.shape + scenes.color, minlength=36)
    assert (pairs - 6000 / 36).abs().max() < 4.5 * math.sqrt(6000 / 36)


def test_objects_wear_the_color_they_are_said_to_have():
    errors = hue_errors(scenes_of(1200, difficulty=0.0))
    assert errors.abs().max() < 30
    assert abs(errors.mean()) < 1


@pytest.mark.parametrize(("difficulty", "spread"), [(0.0, 4.0), (0.5, 14.0)])
def test_hues_stray_from_the_named_color_by_the_announced_angle(difficulty, spread):
    errors = hue_errors(scenes_of(3000, difficulty=difficulty))
    assert errors.std().item() == pytest.approx(spread, rel=0.1)
    beyond = math.erfc(30 / spread / math.sqrt(2))  # plus près de la couleur voisine
    observed = (errors.abs() > 30).float().mean().item()
    assert abs(observed - beyond) < 5 * math.sqrt(beyond / 3000) + 0.005


def test_masks_are_where_the_objects_are():
    """Le centre de gravité du masque est la position, sauf pour le croissant, creux d'un côté."""
    scenes = scenes_of(600, size=64, difficulty=0.0)
    inside = main_mask(scenes).float()
    axis = (torch.arange(64) + 0.5) / 64
    total = inside.sum((1, 2))
    center = torch.stack([(inside.sum(1) @ axis) / total, (inside.sum(2) @ axis) / total], 1)
    shift = (center - scenes.position).norm(dim=1)
    hollow = scenes.shape == SHAPE_NAMES.index("croissant")
    assert shift[~hollow].max() < 0.5 / 64
    assert shift[hollow].min() > 2 / 64


def test_rotations_are_those_of_the_drawn_objects():
    """Oracle : l'argument du moment Σ (u + iv)ᵏ, k la symétrie, suit k fois la rotation."""
    scenes = scenes_of(300, size=96, difficulty=0.0)
    axis = (torch.arange(96) + 0.5) / 96
    u = axis[None, None, :] - scenes.position[:, 0, None, None]
    v = axis[None, :, None] - scenes.position[:, 1, None, None]
    for k, symmetry in enumerate(SHAPE_SYMMETRIES):
        chosen = scenes.shape == k
        rotation = scenes.rotation[chosen]
        if symmetry == 0:
            assert (rotation == 0).all()
            continue
        period = 2 * math.pi / symmetry
        assert 0 <= rotation.min() < 0.1 * period < 0.9 * period < rotation.max() < period
        points = torch.complex(u, v)[chosen] ** symmetry
        measured = (points * main_mask(scenes)[chosen]).sum((1, 2)).angle() / symmetry
        error = (measured - rotation + period / 2) % period - period / 2
        assert error.abs().max() < math.radians(3), SHAPE_NAMES[k]


def objects_of(shape, rotation=0.4):
    """Cinquante objets de même forme, de rayons et de centres variés."""
    n, field = 50, torch.zeros(50)
    radius = torch.linspace(0.15, 0.3, n)
    center = 0.5 + 0.05 * torch.rand(n, 2, generator=make_generator(0))
    return _Objects(
        torch.full((n,), shape), field, field, torch.full((n,), rotation), center, radius, field
    )


def coverage(objects, size):
    axis = (torch.arange(size) + 0.5) / size
    return (0.5 - size * _distance(objects, axis[None, None, :], axis[None, :, None])).clamp(0, 1)


@pytest.mark.parametrize("shape", range(6))
def test_edges_are_smooth_and_keep_the_area(shape):
    coarse, fine = (coverage(objects_of(shape), size) for size in (32, 256))
    areas, exact = coarse.mean((1, 2)), (fine > 0.5).float().mean((1, 2))
    torch.testing.assert_close(areas, exact, rtol=0.05, atol=0)
    binary = (coarse > 0.5).float().mean((1, 2))
    assert (areas - exact).norm() < 0.7 * (binary - exact).norm()
    partial = ((coarse > 0) & (coarse < 1)).sum((1, 2))
    assert (partial > 12).all()


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("disque", math.pi * 0.78**2),
        ("carré", 2.0),
        ("triangle", 3 * math.sqrt(3) / 4 * 1.1**2),
        ("barre", 4 * 0.32),
        ("croix", 8 * 0.3 - 4 * 0.3**2),
    ],
)
def test_areas_are_those_of_geometry(shape, area):
    objects = objects_of(SHAPE_NAMES.index(shape))
    measured = (coverage(objects, 256) > 0.5).float().mean((1, 2))
    torch.testing.assert_close(
        measured / objects.radius**2, torch.full((50,), area), rtol=0.01, atol=0
    )


def test_clutter_appears_with_difficulty_and_never_looks_like_the_main_object():
    several = []
    for difficulty in (0.0, 0.5, 1.0):
        scenes = scenes_of(1500, difficulty=difficulty)
        other = (scenes.mask > 0) & ~main_mask(scenes)
        several.append(other.any(2).any(1).float().mean().item())
    assert several[0] == 0
    assert several[0] < several[1] - 0.4 < several[2] - 0.6
    shape, _ = _draw_classes(2000, make_generator(0))
    assert (shape[:, 1:] != shape[:, :1]).all()
    assert set(shape[:, 1:].unique().tolist()) == set(range(6))


def test_clutter_hides_a_part_of_the_main_object_but_never_most_of_it():
    """Oracle : les mêmes scènes, redessinées sans les gêneurs."""
    generator = make_generator(0)
    objects = _draw_objects(2000, 1.0, generator)
    alone = objects._replace(radius=objects.radius * (torch.arange(4) == 0))
    backgrounds = _draw_backgrounds(2000, 1.0, generator)
    visible, whole = (
        (_render(seen, backgrounds, 32)[1] == 1 + objects.shape[:, :1, None]).sum((1, 2))
        for seen in (objects, alone)
    )
    share = visible / whole
    assert share.min() > 0.25
    assert 0.8 < share.mean() < 0.97
    assert (share < 0.9).float().mean() > 0.2


def test_difficulty_drowns_the_object_in_noise():
    noise = []
    for difficulty in (0.0, 0.5, 1.0):
        x = scenes_of(400, difficulty=difficulty).x
        laplacian = x[..., 1:-1, 1:-1] - (x[..., :-2, 1:-1] + x[..., 2:, 1:-1]) / 2
        noise.append(laplacian.abs().median().item())
    assert noise[1] > 1.5 * noise[0]
    assert noise[2] > 1.4 * noise[1]


def test_x_runs_along_columns_and_y_along_rows():
    scenes = scenes_of(300, difficulty=0.0)
    column, row = (scenes.position * 32).long().unbind(1)
    solid = scenes.shape != SHAPE_NAMES.index("croissant")
    at_center = scenes.mask[torch.arange(300), row, column]
    assert torch.equal(at_center[solid], 1 + scenes.shape[solid])


def test_a_small_network_learns_the_shape_and_a_linear_model_does_not():
    generator = make_generator(0)
    train, test = (make_shapes(n, generator=generator, size=16, difficulty=0) for n in (2000, 500))
    set_seed(0)
    cnn = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 6),
    )  # fmt: skip
    linear = nn.Sequential(nn.Flatten(), nn.Linear(768, 6))
    reached = [learn(model, train, test, generator) for model in (cnn, linear)]
    assert reached[0] > 0.5
    assert reached[0] > reached[1] + 0.2


def learn(model, train, test, generator, n_epochs=6):
    """Boucle d'entraînement écrite à la main : course_lib.data ne dépend pas de training."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(n_epochs):
        for batch in torch.randperm(train.x.shape[0], generator=generator).split(50):
            optimizer.zero_grad()
            F.cross_entropy(model(4 * train.x[batch] - 2), train.shape[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        return (model(4 * test.x - 2).argmax(1) == test.shape).float().mean().item()


def test_names_match_the_classes():
    assert len(SHAPE_NAMES) == len(SHAPE_SYMMETRIES) == len(set(SHAPE_NAMES)) == 6
    rgb = [colorsys.hsv_to_rgb(k / 6, 1, 1) for k in range(6)]
    primary = {"rouge": (1, 0, 0), "vert": (0, 1, 0), "bleu": (0, 0, 1), "jaune": (1, 1, 0)}
    for name, expected in primary.items():
        assert rgb[COLOR_NAMES.index(name)] == pytest.approx(expected)


@pytest.mark.parametrize("difficulty", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_a_wrong_difficulty_is_refused(difficulty):
    with pytest.raises(ValueError, match="difficulty doit être"):
        scenes_of(4, difficulty=difficulty)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "10"])
def test_a_wrong_number_of_scenes_is_refused(n):
    with pytest.raises(ValueError, match="n doit être un entier ≥ 1, reçu"):
        scenes_of(n)


@pytest.mark.parametrize("size", [0, 15, 32.0, None])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(ValueError, match="size doit être un entier ≥ 16, reçu"):
        scenes_of(4, size=size)


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(ValueError, match="make_generator"):
        make_shapes(10, generator=0)
