"""Tests de course_lib.attacks.minimal (DeepFool, Carlini–Wagner) et query (Square Attack)."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.attacks import carlini_wagner, deepfool, margin, square_attack
from course_lib.models import MLP
from course_lib.runtime import make_generator, set_seed


def affine_problem(n=15, d=6, n_classes=4, seed=0):
    """Modèle affine et points assez loin des bords pour que [0 ; 1] ne gêne pas."""
    rng = make_generator(seed)
    weights = torch.randn(d, n_classes, generator=rng)
    bias = -0.5 * weights.sum(0) + 0.05 * torch.randn(n_classes, generator=rng)
    x = 0.45 + 0.1 * torch.rand(n, d, generator=rng)

    def model(x):
        return x @ weights + bias

    logits = model(x)
    best = logits.argmax(1)
    gaps = (logits - logits.gather(1, best[:, None])).abs()
    normals = weights.T[None] - weights.T[best][:, None]  # (N, C, D)
    distances = (gaps / normals.norm(dim=2)).scatter(1, best[:, None], math.inf)
    return model, x, best, distances.amin(dim=1)


def images(n=10, seed=0):
    set_seed(seed)
    model = MLP([36, 24, 4], activation=nn.Tanh)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    x = torch.rand(n, 1, 6, 6, generator=make_generator(seed))
    return model, x, model(x).argmax(1)


@pytest.mark.parametrize("seed", range(4))
def test_deepfool_on_an_affine_model_is_the_distance_to_the_hyperplane(seed):
    model, x, best, exact = affine_problem(seed=seed)
    length = (deepfool(model, x, overshoot=0.0, n_steps=1) - x).norm(dim=1)
    torch.testing.assert_close(length, exact, atol=1e-5, rtol=1e-4)
    x_adv = deepfool(model, x)
    torch.testing.assert_close((x_adv - x).norm(dim=1), 1.02 * exact, atol=1e-5, rtol=1e-4)
    assert (model(x_adv).argmax(1) != best).all()


@pytest.mark.parametrize("seed", range(3))
def test_carlini_wagner_is_never_shorter_than_the_exact_distance_and_nearly_reaches_it(seed):
    two, many = (affine_problem(n_classes=c, seed=seed) for c in (2, 4))
    for (model, x, best, exact), slack in ((two, 1.03), (many, 2.5)):
        x_adv = carlini_wagner(model, x, best, n_searches=10, n_steps=200, lr=0.02)
        length = (x_adv - x).norm(dim=1)
        assert (model(x_adv).argmax(1) != best).all()
        assert (length >= exact - 1e-5).all()
        assert (length <= slack * exact + 1e-3).all()  # union de demi-espaces : minimums locaux
        assert length.median() <= 1.03 * exact.median() + 1e-3


def test_confidence_asks_for_a_wider_margin():
    model, x, best, _ = affine_problem()
    for confidence in (0.0, 0.3):
        x_adv = carlini_wagner(model, x, best, confidence=confidence)
        fooled = (x_adv != x).any(dim=1)
        assert fooled.all()
        assert (margin(model(x_adv), best) > confidence).all()


def test_targeted_carlini_wagner_reaches_the_target():
    model, x, best, _ = affine_problem()
    target = (best + 1) % 4
    x_adv = carlini_wagner(model, x, target, targeted=True)
    reached = model(x_adv).argmax(1) == target
    assert reached.float().mean() > 0.8
    assert torch.equal(x_adv[~reached], x[~reached])  # échec : entrée inchangée


def test_carlini_wagner_returns_the_input_when_nothing_can_fool():
    x, y = torch.rand(3, 4, generator=make_generator(0)), torch.zeros(3, dtype=torch.int64)
    constant = lambda x: torch.stack([1 + 0 * x[:, 0], 0 * x[:, 0]], dim=1)  # noqa: E731
    assert torch.equal(carlini_wagner(constant, x, y, n_searches=2, n_steps=5), x)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 300))
def test_minimal_attacks_stay_in_the_unit_interval(seed):
    model, x, y = images(n=4, seed=seed)
    for x_adv in (deepfool(model, x, n_steps=5), carlini_wagner(model, x, y, n_steps=10)):
        assert x_adv.shape == x.shape
        assert x_adv.min() >= 0
        assert x_adv.max() <= 1


def test_already_misclassified_inputs_are_their_own_adversarial_examples_for_carlini_wagner():
    model, x, best, _ = affine_problem()
    x_adv = carlini_wagner(model, x, (best + 1) % 4)
    assert (x_adv - x).norm(dim=1).max() < 1e-3


# --- Square Attack ---------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 300), epsilon=st.floats(0, 0.6), n_queries=st.integers(1, 30))
def test_square_attack_stays_inside_the_ball_and_counts_its_queries(seed, epsilon, n_queries):
    model, x, y = images(n=4, seed=seed)
    calls = []

    def counted(x):
        calls.append(len(x))
        return model(x)

    result = square_attack(
        counted, x, y, epsilon=epsilon, n_queries=n_queries, generator=make_generator(seed)
    )
    assert result.x.min() >= 0
    assert result.x.max() <= 1
    assert (result.x - x).abs().max() <= epsilon + 1e-6
    assert result.n_queries.sum() == sum(calls)
    assert result.n_queries.max() <= n_queries


def test_square_attack_never_lowers_the_margin_and_stops_on_success():
    model, x, y = images(n=20)
    short, long = (
        square_attack(model, x, y, epsilon=0.15, n_queries=n, generator=make_generator(0))
        for n in (1, 300)
    )
    assert (margin(model(long.x), y) >= margin(model(short.x), y)).all()
    stopped = long.n_queries < 300
    assert stopped.any()
    assert (model(long.x[stopped]).argmax(1) != y[stopped]).all()


def test_square_attack_needs_no_gradient_and_follows_its_generator():
    model, x, y = images(n=8)
    quantized = lambda x: model(x).detach()  # noqa: E731
    runs = [
        square_attack(quantized, x, y, epsilon=0.3, n_queries=20, generator=make_generator(s)).x
        for s in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_square_attack_finds_the_corner_of_a_linear_model():
    weights = torch.randn(36, generator=make_generator(0))

    def model(x):
        score = (x - 0.5).flatten(1) @ weights
        return torch.stack([0 * score, score], dim=1)

    x, y = torch.full((1, 1, 6, 6), 0.5), torch.tensor([1])
    x = x + 0.3 * weights.sign().reshape(1, 1, 6, 6)  # score positif, loin de la frontière
    result = square_attack(model, x, y, epsilon=0.2, n_queries=3000, generator=make_generator(0))
    best = -(0.1 * weights.abs().sum())  # la forme close, en marge
    assert margin(model(result.x), y) >= 1.15 * best
    assert margin(model(result.x), y) <= best + 1e-4


# --- Mode, erreurs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attack",
    [
        lambda m, x, y: deepfool(m, x, n_steps=2),
        lambda m, x, y: carlini_wagner(m, x, y, n_steps=2, n_searches=1),
        lambda m, x, y: square_attack(
            m, x, y, epsilon=0.1, n_queries=3, generator=make_generator(0)
        ),
    ],
    ids=["deepfool", "carlini_wagner", "square"],
)
def test_the_model_keeps_its_mode_and_gradients(attack):
    model, x, y = images(n=3)
    model.train()
    model(x).sum().backward()
    grads, copy = [p.grad.clone() for p in model.parameters()], x.clone()
    attack(model, x, y)
    assert model.training
    assert all(torch.equal(g, p.grad) for g, p in zip(grads, model.parameters(), strict=True))
    assert torch.equal(x, copy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, y: deepfool(m, x + 1), r"\[0 ; 1\]"),
        (lambda m, x, y: deepfool(m, x, overshoot=-1), "overshoot"),
        (lambda m, x, y: deepfool(m, x, n_steps=0), "n_steps"),
        (lambda m, x, y: carlini_wagner(m, x, y + 7), "étiquettes"),
        (lambda m, x, y: carlini_wagner(m, x, y, lr=0), "lr"),
        (lambda m, x, y: carlini_wagner(m, x, y, confidence=-1), "confidence"),
        (lambda m, x, y: carlini_wagner(m, x, y, initial_const=0), "initial_const"),
        (
            lambda m, x, y: square_attack(m, x, y, epsilon=-1, generator=make_generator(0)),
            "epsilon",
        ),
        (lambda m, x, y: square_attack(m, x, y, epsilon=0.1, generator=None), "make_generator"),
        (
            lambda m, x, y: square_attack(
                lambda v: m(v.reshape(-1, 1, 6, 6)), x.flatten(1), y, epsilon=0.1,
                generator=make_generator(0),
            ),
            "images",
        ),
        (
            lambda m, x, y: square_attack(
                m, x, y, epsilon=0.1, fraction=2, generator=make_generator(0)
            ),
            "fraction",
        ),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_in_french(call, message):
    with pytest.raises(ValueError, match=message):
        call(*images(n=2))
