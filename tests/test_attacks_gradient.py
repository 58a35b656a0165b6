"""Tests de course_lib.attacks.gradient : FGSM, PGD, projections."""

import math

import captum.robust
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.attacks import fgsm, margin, pgd, project
from course_lib.models import MLP, SmallCNN
from course_lib.runtime import make_generator, set_seed


def small_problem(n=12, seed=0, n_classes=4):
    set_seed(seed)
    model = MLP([16, 24, n_classes], activation=nn.Tanh)
    rng = make_generator(seed)
    x = torch.rand(n, 1, 4, 4, generator=rng)
    return model, x, torch.randint(n_classes, (n,), generator=rng)


def linear_problem(n=20, d=7, seed=0):
    rng = make_generator(seed)
    weights, bias = torch.randn(d, generator=rng), 0.1

    def model(x):
        score = x @ weights + bias
        return torch.stack([0 * score, score], dim=1)

    return model, weights, torch.rand(n, d, generator=rng), torch.randint(2, (n,), generator=rng)


def per_example(logits, y):
    return F.cross_entropy(logits, y, reduction="none")


# --- Oracles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("epsilon", [0.05, 0.3])
def test_pgd_and_fgsm_reach_the_closed_form_of_a_linear_model(seed, epsilon):
    model, weights, x, y = linear_problem(seed=seed)
    sign = (2.0 * y - 1)[:, None]
    worst = (x - sign * epsilon * weights.sign()).clamp(0, 1)
    torch.testing.assert_close(pgd(model, x, y, epsilon=epsilon), worst, atol=1e-5, rtol=0)
    torch.testing.assert_close(fgsm(model, x, y, epsilon=epsilon), worst, atol=1e-5, rtol=0)
    from_random = pgd(model, x, y, epsilon=epsilon, generator=make_generator(1))
    torch.testing.assert_close(from_random, worst, atol=1e-5, rtol=0)


def test_l2_attack_of_a_linear_model_goes_straight_to_the_hyperplane():
    model, weights, x, y = linear_problem()
    x = 0.4 + 0.2 * x  # loin des bords : seule la boule contraint
    sign = (2.0 * y - 1)[:, None]
    worst = x - sign * 0.1 * weights / weights.norm()
    for attack in (fgsm, pgd):
        torch.testing.assert_close(
            attack(model, x, y, epsilon=0.1, norm="l2"), worst, atol=1e-5, rtol=0
        )


quiet_captum = pytest.mark.filterwarnings(  # captum signale qu'il demande lui-même le gradient
    "ignore:Input Tensor 0 did not already require gradients"
)


@quiet_captum
@pytest.mark.parametrize("targeted", [False, True])
def test_fgsm_is_that_of_captum(targeted):
    model, x, y = small_problem()
    oracle = captum.robust.FGSM(model, per_example, lower_bound=0, upper_bound=1)
    expected = oracle.perturb(x, epsilon=0.1, target=y, targeted=targeted)
    torch.testing.assert_close(fgsm(model, x, y, epsilon=0.1, targeted=targeted), expected)


@quiet_captum
@pytest.mark.parametrize("targeted", [False, True])
def test_pgd_is_that_of_captum_from_the_same_start_with_the_same_step(targeted):
    model, x, y = small_problem()
    oracle = captum.robust.PGD(model, per_example, lower_bound=0, upper_bound=1)
    expected = oracle.perturb(
        x, radius=0.15, step_size=0.04, step_num=8, target=y, targeted=targeted
    )
    ours = pgd(
        model, x, y, epsilon=0.15, step_size=0.04, n_steps=8, targeted=targeted, keep_best=False
    )
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


def test_projection_is_the_nearest_point_of_the_ball():
    delta = torch.randn(6, 5, generator=make_generator(0))
    torch.testing.assert_close(project(delta, epsilon=0.3), delta.clamp(-0.3, 0.3))
    torch.testing.assert_close(
        project(delta, epsilon=0.3, norm="l2"), torch.renorm(delta, 2, 0, 0.3)
    )
    for norm in ("linf", "l2"):
        small = 1e-3 * delta
        torch.testing.assert_close(project(small, epsilon=0.3, norm=norm), small)


# --- Propriétés ----------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 500),
    epsilon=st.floats(0, 1.5),
    norm=st.sampled_from(["linf", "l2"]),
    n_steps=st.integers(1, 6),
    targeted=st.booleans(),
    random_start=st.booleans(),
)
def test_pgd_stays_inside_the_ball_and_the_unit_interval(
    seed, epsilon, norm, n_steps, targeted, random_start
):
    model, x, y = small_problem(n=5, seed=seed)
    rng = make_generator(seed) if random_start else None
    x_adv = pgd(
        model, x, y, epsilon=epsilon, norm=norm, n_steps=n_steps, targeted=targeted, generator=rng
    )
    order = math.inf if norm == "linf" else 2
    sizes = (x_adv - x).flatten(1).norm(p=order, dim=1)
    assert x_adv.shape == x.shape
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert sizes.max() <= epsilon + 1e-5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 500), epsilon=st.floats(0, 0.5))
def test_keeping_the_best_point_never_loses_to_the_start(seed, epsilon):
    model, x, y = small_problem(n=5, seed=seed)
    for norm in ("linf", "l2"):
        x_adv = pgd(model, x, y, epsilon=epsilon, norm=norm, n_steps=3, step_size=0.4)
        before, after = model(x), model(x_adv)
        right, still = before.argmax(1) == y, after.argmax(1) == y
        assert not (still & ~right).any()  # jamais une image déjà trompée n'est réparée
        same = right == still
        assert (per_example(after, y) >= per_example(before, y) - 1e-6)[same].all()


def test_one_budget_per_example_is_respected_and_zero_changes_nothing():
    model, x, y = small_problem(n=4)
    budgets = torch.tensor([0.0, 0.05, 0.1, 0.2])
    x_adv = pgd(model, x, y, epsilon=budgets)
    reached = (x_adv - x).flatten(1).abs().amax(dim=1)
    assert torch.equal(x_adv[0], x[0])
    assert (reached <= budgets + 1e-6).all()
    assert (reached[1:] > 0.9 * budgets[1:]).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_raises_the_loss_and_the_target_lowers_it(norm):
    model, x, y = small_problem(n=40)
    before = per_example(model(x), y)
    away = per_example(model(pgd(model, x, y, epsilon=0.3, norm=norm)), y)
    toward = per_example(model(pgd(model, x, y, epsilon=0.3, norm=norm, targeted=True)), y)
    assert (away > before).all()
    assert (toward < before).all()


def test_targeted_attack_reaches_the_asked_class():
    weights = torch.randn(16, 4, generator=make_generator(0))
    model = lambda x: (x - 0.5).flatten(1) @ weights  # noqa: E731
    _, x, _ = small_problem(n=30)
    for target in range(4):
        labels = torch.full((30,), target)
        x_adv = pgd(model, x, labels, epsilon=1.0, n_steps=40, targeted=True)
        assert (model(x_adv).argmax(1) == target).all()


# --- Ce que l'attaque laisse intact --------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_mode_statistics_gradients_and_inputs_are_left_alone(training):
    set_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5),
                          nn.Linear(8, 3))  # fmt: skip
    model.train(training)
    model[2].eval()  # un module gelé dans un modèle en entraînement
    x, y = torch.rand(6, 1, 4, 4, generator=make_generator(0)), torch.tensor([0, 1, 2, 0, 1, 2])
    per_example(model(x), y).sum().backward()
    modes = [module.training for module in model.modules()]
    state = {k: v.clone() for k, v in model.state_dict().items()}
    grads = [p.grad.clone() for p in model.parameters()]
    copy = x.clone()
    first = pgd(model, x, y, epsilon=0.1)
    assert torch.equal(first, pgd(model, x, y, epsilon=0.1))  # mode eval : pas de dropout
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert all(torch.equal(g, p.grad) for g, p in zip(grads, model.parameters(), strict=True))
    assert torch.equal(x, copy)
    assert not first.requires_grad


def test_an_attack_works_under_no_grad_and_restores_the_mode_after_an_error():
    model, x, y = small_problem()
    model.train()
    with torch.no_grad():
        assert not torch.equal(pgd(model, x, y, epsilon=0.1), x)
    with pytest.raises(ValueError, match="étiquettes"):
        pgd(model, x, y + 9, epsilon=0.1)
    assert model.training


def test_same_generator_same_attack():
    model, x, y = small_problem()
    runs = [
        pgd(model, x, y, epsilon=0.1, n_steps=1, generator=make_generator(s), keep_best=False)
        for s in (3, 3, 4)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_margin_is_positive_exactly_when_the_answer_is_wrong():
    logits = torch.randn(200, 5, generator=make_generator(0))
    y = torch.randint(5, (200,), generator=make_generator(1))
    assert torch.equal(margin(logits, y) > 0, logits.argmax(1) != y)
    torch.testing.assert_close(margin(10 * logits, y), 10 * margin(logits, y))


def test_margin_still_attacks_where_cross_entropy_saturates():
    model, x, _ = small_problem(n=30)
    y = model(x).argmax(1)
    saturated = lambda x: 1e6 * model(x)  # noqa: E731
    assert torch.equal(pgd(saturated, x, y, epsilon=0.2), x)
    margins = margin(model(pgd(saturated, x, y, epsilon=0.2, loss=margin)), y)
    assert (margins > margin(model(x), y)).all()


# --- Erreurs -------------------------------------------------------------------------------------

GOOD = torch.full((2, 1, 4, 4), 0.5)
LABELS = torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (GOOD + 1, LABELS, {}, r"\[0 ; 1\]"),
        (-GOOD, LABELS, {}, r"\[0 ; 1\]"),
        (GOOD * math.nan, LABELS, {}, "NaN"),
        (GOOD[:0], LABELS[:0], {}, "non vide"),
        (GOOD.long(), LABELS, {}, "flottant"),
        ("image", LABELS, {}, "flottant"),
        (GOOD, LABELS + 3, {}, "classes"),
        (GOOD, LABELS - 1, {}, "étiquettes"),
        (GOOD, LABELS.float(), {}, "int64"),
        (GOOD, LABELS[:1], {}, "une étiquette par entrée"),
        (GOOD, LABELS, {"epsilon": -0.1}, "epsilon"),
        (GOOD, LABELS, {"epsilon": math.nan}, "epsilon"),
        (GOOD, LABELS, {"epsilon": torch.tensor([0.1, -0.1])}, "≥ 0"),
        (GOOD, LABELS, {"epsilon": torch.ones(3)}, "par entrée"),
        (GOOD, LABELS, {"norm": "l1"}, "norm"),
        (GOOD, LABELS, {"n_steps": 0}, "n_steps"),
        (GOOD, LABELS, {"generator": 3}, "make_generator"),
        (GOOD, LABELS, {"loss": F.cross_entropy}, "par exemple"),
    ],
)
def test_bad_arguments_are_refused_in_french(x, y, options, message):
    model, _, _ = small_problem(n_classes=3)
    with pytest.raises(ValueError, match=message):
        pgd(model, x, y, **({"epsilon": 0.1} | options))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("réseau", "module ou une fonction"),
        (lambda x: x.flatten(1).sum(1), "logits"),
        (lambda x: x.flatten(1) * math.inf, "NaN ou infinis"),
        (lambda x: x.flatten(1).detach(), "square_attack"),
    ],
)
def test_models_that_cannot_be_attacked_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        pgd(model, GOOD, LABELS, epsilon=0.1)


def test_a_convolutional_network_can_be_attacked():
    set_seed(0)
    x = torch.rand(3, 1, 8, 8, generator=make_generator(0))
    x_adv = pgd(SmallCNN(width=4), x, torch.tensor([0, 1, 2]), epsilon=0.1)
    assert x_adv.shape == x.shape
    assert not torch.equal(x_adv, x)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 500), epsilon=st.floats(0, 0.4), norm=st.sampled_from(["linf", "l2"]))
def test_pgd_fools_every_example_that_fgsm_fools(seed, epsilon, norm):
    model, x, y = small_problem(n=8, seed=seed)
    fooled = [
        model(attack(model, x, y, epsilon=epsilon, norm=norm)).argmax(1) != y
        for attack in (fgsm, pgd)
    ]
    assert not (fooled[0] & ~fooled[1]).any()


def test_half_precision_and_a_flat_model_give_no_nan():
    x, y = torch.full((2, 4), 0.5, dtype=torch.float16), torch.tensor([0, 1])

    def flat(x):
        return torch.stack([0 * x.sum(1), 0 * x.sum(1)], dim=1)  # gradient nul partout

    torch.testing.assert_close(pgd(flat, x, y, epsilon=0.1, norm="l2"), x)
