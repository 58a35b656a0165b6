"""Entraînement : égal à la boucle nue pas à pas, invariants, refus des entrées fausses."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from course_lib.metrics import accuracy, mean_squared_error
from course_lib.models import MLP, n_parameters
from course_lib.training import EarlyStopping, History, _preparation, evaluate, fit

examples = settings(max_examples=25, deadline=None)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def fixed_initialisation():
    torch.manual_seed(0)


@pytest.fixture
def data():
    """Vingt-trois points de deux classes séparables : le dernier lot de 5 n'en a que 3."""
    x = torch.randn(23, 4, generator=generator(1))
    return x, (x[:, 0] > 0).long()


def plain_loop(model, x, y, optimizer, *, n_epochs, batch_size, after_backward=lambda: None):
    """La boucle des manuels, sans rien d'autre : la référence."""
    rng = generator()
    for _ in range(n_epochs):
        order = torch.randperm(len(x), generator=rng)
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            optimizer.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            after_backward()
            optimizer.step()


def assert_same_weights(model, other):
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


# --- oracles : la boucle nue -----------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
@pytest.mark.parametrize("n_epochs", [1, 3])
def test_fit_gives_the_weights_of_the_plain_loop_with_adam(data, batch_size, n_epochs):
    model = MLP([4, 6, 2])
    reference = copy.deepcopy(model)
    plain_loop(
        reference, *data, Adam(reference.parameters(), lr=0.01),
        n_epochs=n_epochs, batch_size=batch_size,
    )  # fmt: skip
    fit(model, data, n_epochs=n_epochs, batch_size=batch_size, lr=0.01, generator=generator())
    assert_same_weights(model, reference)


def test_fit_gives_the_weights_of_the_plain_loop_over_several_blocks():
    x = torch.randn(150, 4, generator=generator(2))  # plus de 32 lots de 4 : deux blocs
    data = x, torch.randint(3, (150,), generator=generator(3))
    model = MLP([4, 3])
    reference = copy.deepcopy(model)
    plain_loop(reference, *data, SGD(reference.parameters(), lr=0.1), n_epochs=2, batch_size=4)
    fit(
        model, data, n_epochs=2, batch_size=4, generator=generator(),
        optimizer=lambda parameters: SGD(parameters, lr=0.1),
    )  # fmt: skip
    assert_same_weights(model, reference)


def test_fit_follows_the_given_optimizer_scheduler_and_clipping_step_by_step(data):
    model = MLP([4, 6, 2])
    reference = copy.deepcopy(model)
    theirs = SGD(reference.parameters(), lr=0.5, momentum=0.9)
    plan = LambdaLR(theirs, lambda step: 0.8**step)
    theirs.register_step_post_hook(lambda *_: plan.step())
    plain_loop(
        reference, *data, theirs, n_epochs=2, batch_size=5,
        after_backward=lambda: nn.utils.clip_grad_norm_(reference.parameters(), 0.1),
    )  # fmt: skip
    ours = SGD(model.parameters(), lr=0.5, momentum=0.9)
    fit(
        model, data, n_epochs=2, batch_size=5, optimizer=ours, clip_norm=0.1,
        scheduler=lambda o: LambdaLR(o, lambda step: 0.8**step), generator=generator(),
    )  # fmt: skip
    assert_same_weights(model, reference)
    assert ours.param_groups[0]["lr"] == pytest.approx(0.5 * 0.8**10)  # 2 époques de 5 lots


def test_fit_applies_the_transform_to_each_training_batch_only(data):
    seen = []

    def double(x, rng):
        seen.append((len(x), rng))
        return 2 * x

    model, rng = MLP([4, 2]), generator()
    reference = copy.deepcopy(model)
    plain_loop(
        reference, 2 * data[0], data[1], Adam(reference.parameters()), n_epochs=1, batch_size=5
    )
    history = fit(
        model, data, validation=data, n_epochs=1, batch_size=5, transform=double, generator=rng
    )
    assert_same_weights(model, reference)
    assert [size for size, _ in seen] == [5, 5, 5, 5, 3]
    assert all(given_rng is rng for _, given_rng in seen)
    expected = F.cross_entropy(model(data[0]), data[1]).item()
    assert history.validation_loss == pytest.approx([expected])


def test_default_optimizer_is_fused_where_pytorch_allows_and_plain_elsewhere(monkeypatch):
    model = MLP([2, 2])
    assert _preparation.build_optimizer(model, None, 0.1).defaults["fused"] is True

    def adam_without_fusion(parameters, *, lr, fused=False):
        if fused:
            raise RuntimeError("pas de version fusionnée ici")
        return Adam(parameters, lr=lr)

    monkeypatch.setattr(_preparation, "Adam", adam_without_fusion)
    assert not _preparation.build_optimizer(model, None, 0.1).defaults["fused"]


# --- identités : ce que l'historique et evaluate mesurent --------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_short_last_batch_weighs_its_examples_in_the_means(data, batch_size):
    model = MLP([4, 2])
    logits = model(data[0]).detach()
    history = fit(
        model, data, n_epochs=1, batch_size=batch_size, generator=generator(),
        optimizer=lambda parameters: SGD(parameters, lr=1e-12),  # poids immobiles
    )  # fmt: skip
    assert history.train_loss == pytest.approx([F.cross_entropy(logits, data[1]).item()])
    assert history.train_metric == pytest.approx([accuracy(logits, data[1])])


@examples
@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 99))
def test_evaluate_does_not_depend_on_the_batch_size(n, batch_size, seed):
    x = torch.randn(n, 3, generator=generator(seed))
    y = torch.randint(2, (n,), generator=generator(seed))
    model = nn.Linear(3, 2)
    result = evaluate(model, (x, y), batch_size=batch_size)
    assert result["loss"] == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-5)
    assert result["metric"] == pytest.approx(accuracy(model(x), y))


def test_evaluate_and_fit_without_metric_report_the_loss_alone(data):
    assert list(evaluate(MLP([4, 2]), data, metric=None)) == ["loss"]
    history = fit(
        MLP([4, 2]), data, validation=data, metric=None, n_epochs=2, generator=generator()
    )
    assert (history.train_metric, history.validation_metric) == ([], [])
    assert len(history.validation_loss) == 2


def test_history_holds_one_value_per_epoch_and_the_best_validation_epoch(data):
    history = fit(
        MLP([4, 8, 2]), data, validation=(data[0], 1 - data[1]), n_epochs=4, generator=generator()
    )
    lists = [getattr(history, name) for name in History.__dataclass_fields__][:4]
    assert [len(values) for values in lists] == [4, 4, 4, 4]
    assert history.best_epoch == history.validation_loss.index(min(history.validation_loss))
    assert history.duration > 0
    assert history.diverged is False


def test_best_epoch_is_none_without_validation(data):
    history = fit(MLP([4, 2]), data, n_epochs=1, generator=generator())
    assert history.best_epoch is None
    assert history.validation_loss == []


# --- arrêt anticipé ----------------------------------------------------------------------------


def test_early_stopping_waits_for_patience_then_restores_the_best_weights(data):
    opposite = data[0], 1 - data[1]  # plus on apprend, plus la validation se dégrade
    model = MLP([4, 8, 2])
    reference = copy.deepcopy(model)
    fit(reference, data, n_epochs=1, lr=0.01, generator=generator())
    history = fit(
        model, data, validation=opposite, n_epochs=50, lr=0.01, generator=generator(),
        early_stopping=EarlyStopping(patience=3),
    )  # fmt: skip
    assert len(history.validation_loss) == 4
    assert history.best_epoch == 0
    assert_same_weights(model, reference)
    assert evaluate(model, opposite)["loss"] == pytest.approx(history.validation_loss[0])


def test_without_early_stopping_the_last_weights_stay(data):
    opposite = data[0], 1 - data[1]
    model = MLP([4, 8, 2])
    history = fit(model, data, validation=opposite, n_epochs=4, lr=0.01, generator=generator())
    assert history.best_epoch == 0
    assert evaluate(model, opposite)["loss"] == pytest.approx(history.validation_loss[-1])


def test_min_delta_asks_for_a_larger_progress(data):
    history = fit(
        MLP([4, 2]), data, validation=data, n_epochs=50, generator=generator(),
        early_stopping=EarlyStopping(patience=2, min_delta=10.0),
    )  # fmt: skip
    assert history.validation_loss[-1] < history.validation_loss[0]  # progrès, mais trop petit
    assert len(history.validation_loss) == 3
    assert history.best_epoch == 0


def test_early_stopping_does_not_stop_while_validation_improves(data):
    history = fit(
        MLP([4, 2]), data, validation=data, n_epochs=12, generator=generator(),
        early_stopping=EarlyStopping(patience=1),
    )  # fmt: skip
    assert len(history.train_loss) == 12
    assert history.best_epoch == 11


# --- divergence --------------------------------------------------------------------------------


def diverge(data, **options):
    """Régression dont le pas, mille fois trop grand, fait exploser la perte."""
    x = data[0]
    model = nn.Linear(4, 1)
    return model, lambda: fit(
        model, (x, x[:, :1]), n_epochs=200, loss=F.mse_loss, metric=mean_squared_error,
        optimizer=lambda parameters: SGD(parameters, lr=100.0), generator=generator(), **options,
    )  # fmt: skip


def test_divergence_raises_in_french_and_says_what_to_do(data):
    _, train = diverge(data)
    with pytest.raises(ValueError, match=r"a divergé.*Diminuez le taux.*clip_norm"):
        train()


@pytest.mark.parametrize("with_validation", [False, True])
def test_divergence_can_stop_and_keep_the_history(data, with_validation):
    x = data[0]
    _, train = diverge(
        data, on_divergence="stop", validation=(x, x[:, :1]) if with_validation else None
    )
    history = train()
    assert history.diverged is True
    losses = history.train_loss + history.validation_loss
    assert sum(not math.isfinite(value) for value in losses) == 1
    assert len(history.train_metric) == len(history.train_loss) < 200
    assert history.train_loss[1] > history.train_loss[0]


def test_divergence_with_early_stopping_restores_finite_weights(data):
    x = data[0]
    model, train = diverge(
        data, on_divergence="stop", validation=(x, x[:, :1]), early_stopping=EarlyStopping(99)
    )
    assert train().diverged
    assert all(p.isfinite().all() for p in model.parameters())


# --- invariants --------------------------------------------------------------------------------


def mixed_modes_model():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    model.train()
    model[1].eval()  # une normalisation gelée, comme en apprentissage par transfert
    return model


def test_every_module_gets_its_mode_back_after_fit_evaluate_and_an_error(data):
    model = mixed_modes_model()
    modes = [module.training for module in model.modules()]
    fit(model, data, validation=data, n_epochs=1, generator=generator())
    assert [module.training for module in model.modules()] == modes
    evaluate(model.eval(), data)
    assert not any(module.training for module in model.modules())

    def broken(x, rng):
        raise KeyError("augmentation en panne")

    with pytest.raises(KeyError):
        fit(model, data, n_epochs=1, transform=broken, generator=generator())
    assert not any(module.training for module in model.modules())


def test_evaluate_uses_eval_mode_and_changes_nothing_in_the_model(data):
    model = mixed_modes_model().train()
    state = copy.deepcopy(model.state_dict())
    first, second = evaluate(model, data), evaluate(model, data)
    assert first == second  # le dropout est éteint
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())


def test_fit_trains_in_train_mode(data):
    model = mixed_modes_model().eval()
    before = model[1].running_mean.clone()
    fit(model, data, n_epochs=1, generator=generator())
    assert not torch.equal(model[1].running_mean, before)


def test_same_seed_gives_same_history_and_another_seed_another(data):
    model = MLP([4, 6, 2])

    def losses(seed):
        return fit(
            copy.deepcopy(model), data, n_epochs=2, batch_size=4, generator=generator(seed)
        ).train_loss

    assert losses(0) == losses(0)
    assert losses(0) != losses(1)


def test_fit_draws_only_from_its_generator_and_leaves_the_data_alone(data):
    model, (x, y) = MLP([4, 2]), (tensor.clone() for tensor in data)
    state, rng = torch.get_rng_state(), generator()
    fit(
        model, data, validation=data, n_epochs=2, generator=rng,
        transform=lambda batch, rng: batch.add_(torch.randn(batch.shape, generator=rng)),
    )  # fmt: skip
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(rng.get_state(), generator().get_state())
    assert torch.equal(data[0], x)
    assert torch.equal(data[1], y)


def test_soft_targets_are_accepted_by_cross_entropy(data):
    soft = F.one_hot(data[1], 2) * 0.8 + 0.1
    model = MLP([4, 2])
    expected = F.cross_entropy(model(data[0]), soft).item()
    assert evaluate(model, (data[0], soft), metric=None)["loss"] == pytest.approx(expected)


def test_frozen_parameters_do_not_move(data):
    model = MLP([4, 6, 2])
    first = model.layers[1]
    first.requires_grad_(False)
    before = first.weight.clone()
    fit(model, data, n_epochs=2, lr=0.1, generator=generator())
    assert torch.equal(first.weight, before)
    assert n_parameters(model) == 14


# --- apprendre pour de bon ----------------------------------------------------------------------


def test_fit_learns_eight_random_points_by_heart():
    x, y = torch.randn(8, 5, generator=generator()), torch.arange(8) % 2
    model = MLP([5, 32, 2])
    history = fit(model, (x, y), n_epochs=150, batch_size=3, lr=0.01, generator=generator())
    assert evaluate(model, (x, y))["metric"] == 1.0
    assert history.train_loss[-1] < 0.05 < history.train_loss[0]


def test_fit_recovers_a_line_by_regression():
    x = torch.linspace(-1, 1, 40)[:, None]
    model = nn.Linear(1, 1)
    history = fit(
        model, (x, 3 * x - 2), n_epochs=200, batch_size=10, lr=0.1, loss=F.mse_loss,
        metric=mean_squared_error, generator=generator(),
    )  # fmt: skip
    assert model.weight.item() == pytest.approx(3, abs=1e-3)
    assert model.bias.item() == pytest.approx(-2, abs=1e-3)
    assert history.train_metric == pytest.approx(history.train_loss, rel=1e-4, abs=1e-9)


# --- barre de progression -----------------------------------------------------------------------


@pytest.mark.parametrize(("progress", "visible"), [(None, False), (False, False), (True, True)])
def test_progress_bar_is_silent_by_default_here_and_shown_on_request(
    data, capsys, progress, visible
):
    fit(MLP([4, 2]), data, n_epochs=2, generator=generator(), progress=progress)
    output = capsys.readouterr()
    assert output.out == ""
    assert ("Entraînement" in output.err) == visible


def test_progress_bar_shows_in_an_interactive_session_but_not_in_a_build(data, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for name, value, visible in (("COURSE_BUILD", "1", False), ("COURSE_BUILD", "", True)):
        monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
        monkeypatch.setenv(name, value)
        fit(MLP([4, 2]), data, n_epochs=1, generator=generator())
        assert ("Entraînement" in capsys.readouterr().err) == visible


# --- refus ---------------------------------------------------------------------------------------

X, Y = torch.zeros(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])
BAD_DATA = {
    "un seul tenseur": (X, r"couple \(x, y\)"),
    "tableau NumPy": ((X.numpy(), Y), "reçu ndarray, Tensor"),
    "vide": ((X[:0], Y[:0]), "au moins un ; reçu 0 et 0"),
    "longueurs": ((X, Y[:5]), "reçu 6 et 5"),
    "NaN": ((X / 0, Y), "x contient 24 valeurs non finies"),
    "largeur": ((X[:, :3], Y), r"4 réels.*\(2, 3\)"),
    "étiquette trop grande": ((X, Y + 1), "vont de 1 à 2, mais le modèle n'a que 2 sorties"),
    "étiquette négative": ((X, Y - 1), "vont de -1 à 0"),
    "étiquettes int32": ((X, Y.int()), r"int64 ; reçu torch.int32.*\.long\(\)"),
    "étiquettes réelles": ((X, Y.float()), r"int64 ; reçu torch.float32"),
    "étiquettes en colonne": ((X, Y[:, None]), r"logits \(N, C\) et des étiquettes \(N,\)"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_fit_and_evaluate_refuse_bad_data_in_french(case):
    bad, message = BAD_DATA[case]
    model = MLP([4, 2])
    with pytest.raises(ValueError, match=message):
        fit(model, bad, n_epochs=1, generator=generator())
    with pytest.raises(ValueError, match=message):
        fit(model, (X, Y), validation=bad, n_epochs=1, generator=generator())
    with pytest.raises(ValueError, match=message):
        evaluate(model, bad)


def test_regression_targets_of_another_shape_are_refused_before_they_broadcast():
    with pytest.raises(ValueError, match="diffuserait"):
        fit(
            nn.Linear(4, 1), (X, Y.float()), n_epochs=1, loss=F.mse_loss, metric=None,
            generator=generator(),
        )  # fmt: skip


def test_a_model_that_refuses_the_input_is_reported_with_the_shape():
    with pytest.raises(ValueError, match=r"Le modèle refuse ce lot, de forme \(2, 4\)"):
        fit(nn.Linear(3, 2), (X, Y), n_epochs=1, generator=generator())


def test_evaluate_refuses_a_model_that_answers_nan():
    model = nn.Linear(4, 2)
    nn.init.constant_(model.bias, torch.nan)
    with pytest.raises(ValueError, match="plus finis"):
        evaluate(model, (X, Y))


class FixedModel(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 2)


OTHER = nn.Linear(4, 2)
BAD_SETTINGS = [
    ({"n_epochs": 0}, "n_epochs doit être un entier ≥ 1, reçu 0"),
    ({"n_epochs": 2.0}, "n_epochs doit"),
    ({"batch_size": -3}, "batch_size doit être un entier ≥ 1, reçu -3"),
    ({"batch_size": True}, "batch_size doit"),
    ({"lr": 0.0}, "lr doit être un réel strictement positif ; reçu 0.0"),
    ({"lr": math.nan}, "lr doit"),
    ({"lr": "petit"}, "lr doit"),
    ({"clip_norm": -1.0}, "clip_norm doit"),
    ({"loss": lambda output, y: F.cross_entropy(output, y, reduction="none")}, r"reçu \(2,\)"),
    ({"loss": F.nll_loss, "metric": None, "validation": (X, Y.float())}, "La perte refuse ce lot"),
    ({"early_stopping": 5, "validation": (X, Y)}, "EarlyStopping ; reçu 5"),
    ({"generator": 0}, "torch.Generator, reçu int.*make_generator"),
    ({"on_divergence": "ignore"}, 'on_divergence vaut "raise" ou "stop"'),
    ({"early_stopping": EarlyStopping()}, "donnez validation"),
    ({"optimizer": Adam(OTHER.parameters())}, "aucun paramètre de ce modèle"),
    ({"scheduler": lambda o: ReduceLROnPlateau(o)}, "scheduler=lambda o"),
    ({"scheduler": LambdaLR(Adam(OTHER.parameters()), lambda _: 1.0)}, "suivre l'optimiseur"),
]


@pytest.mark.parametrize(("setting", "message"), BAD_SETTINGS)
def test_fit_refuses_bad_settings_in_french(setting, message):
    with pytest.raises(ValueError, match=message):
        fit(MLP([4, 2]), (X, Y), **({"n_epochs": 1, "generator": generator()} | setting))


def test_fit_refuses_a_model_without_trainable_parameter():
    with pytest.raises(ValueError, match="aucun paramètre à entraîner"):
        fit(FixedModel(), (X, Y), n_epochs=1, generator=generator())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"patience": 0}, "patience doit être un entier"),
        ({"min_delta": -1.0}, "min_delta doit être un réel ≥ 0"),
        ({"min_delta": math.nan}, "min_delta doit"),
        ({"min_delta": "0"}, "min_delta doit"),
    ],
)
def test_early_stopping_refuses_bad_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**setting)


@examples
@given(
    st.lists(st.integers(0, 5), max_size=3),
    st.lists(st.integers(0, 5), max_size=2),
    st.sampled_from([torch.float32, torch.int64, torch.int32, torch.float64]),
)
def test_any_data_is_either_evaluated_or_refused_in_french(x_shape, y_shape, y_dtype):
    x, y = torch.zeros(x_shape), torch.zeros(y_shape, dtype=y_dtype)
    valid = (
        len(x_shape) >= 2
        and math.prod(x_shape[1:]) == 4
        and y_shape == x_shape[:1] != [0]
        and y_dtype == torch.int64
    )
    if valid:
        assert math.isfinite(evaluate(MLP([4, 2]), (x, y))["loss"])
    else:
        with pytest.raises(ValueError, match=r"[Aa]tten|doivent|Le modèle|refuse"):
            evaluate(MLP([4, 2]), (x, y))
