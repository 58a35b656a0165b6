"""Mesure ``fit`` contre la boucle PyTorch nue, ``DataLoader``, skorch et Lightning.

Usage : ``pip install -e ".[bench]"`` puis ``python benchmarks/fit.py``. PMC 64-64-10 sur
``digits``, lots de 64, un fil. À chaque tour, les cinq entraînements passent l'un après l'autre dans
un ordre tiré au sort, et l'on garde le rapport de leurs durées à celle de ``fit`` : un ralentissement
de la machine touche le numérateur comme le dénominateur. Sortie non nulle si un but est manqué.
"""

import argparse
import logging
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import lightning
import torch
import torch.nn.functional as F
from scipy.stats import binom
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course_lib.data import load_digits
from course_lib.models import MLP
from course_lib.runtime import make_generator, set_seed
from course_lib.training import fit

BATCH_SIZE, LR = 64, 1e-3
# Nom → rapport visé à la durée de fit (au moins) ; pour la boucle nue, fit coûte ≤ 1,05 fois.
GOALS = {"boucle nue": 1 / 1.05, "DataLoader": 1.5, "skorch": 2.0, "Lightning": 2.5}


def train_with_fit(model, x, y, n_epochs):
    fit(model, (x, y), n_epochs=n_epochs, batch_size=BATCH_SIZE, lr=LR, generator=make_generator(0))


def train_with_plain_loop(model, x, y, n_epochs):
    """Les mêmes mises à jour, le même optimiseur, rien d'autre : ni moyenne, ni mesure."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    generator = make_generator(0)
    for _ in range(n_epochs):
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            loss = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def train_with_dataloader(model, x, y, n_epochs):
    """La boucle des tutoriels : ``DataLoader`` mélangé et Adam sans option."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH_SIZE, shuffle=True)
    for _ in range(n_epochs):
        for x_batch, y_batch in loader:
            loss = F.cross_entropy(model(x_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def train_with_skorch(model, x, y, n_epochs):
    net = NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=LR,
        batch_size=BATCH_SIZE, max_epochs=n_epochs, iterator_train__shuffle=True,
        train_split=None, verbose=0,
    )  # fmt: skip
    net.fit(x, y)


class LightningClassifier(lightning.LightningModule):
    """Le classifieur minimal de la documentation de Lightning."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def training_step(self, batch, _):
        x, y = batch
        return F.cross_entropy(self.model(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR)


def train_with_lightning(model, x, y, n_epochs):
    trainer = lightning.Trainer(
        max_epochs=n_epochs, accelerator="cpu", devices=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH_SIZE, shuffle=True)
    trainer.fit(LightningClassifier(model), loader)


CONTESTANTS: dict[str, Callable] = {
    "fit": train_with_fit,
    "boucle nue": train_with_plain_loop,
    "DataLoader": train_with_dataloader,
    "skorch": train_with_skorch,
    "Lightning": train_with_lightning,
}


def new_model() -> nn.Module:
    set_seed(0)
    return MLP([64, 64, 10])


def time_once(train: Callable, x, y, n_epochs: int) -> float:
    """Rend le temps de processeur : sur un seul fil, c'est la durée sans les voisins."""
    model = new_model()
    start = time.process_time()
    train(model, x, y, n_epochs)
    return time.process_time() - start


def median_interval(values: list[float]) -> tuple[float, float, float]:
    """Rend la médiane et son intervalle à 95 %, par les statistiques d'ordre (loi binomiale)."""
    ordered = sorted(values)
    rank = max(int(binom.ppf(0.025, len(ordered), 0.5)) - 1, 0)
    return statistics.median(ordered), ordered[rank], ordered[-1 - rank]


def check_same_updates(x, y, n_epochs: int) -> None:
    """Refuse de comparer des durées si ``fit`` et la boucle nue n'arrivent pas aux mêmes poids."""
    models = new_model(), new_model()
    train_with_fit(models[0], x, y, n_epochs)
    train_with_plain_loop(models[1], x, y, n_epochs)
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(ours, theirs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tours", type=int, default=31, help="nombre de tours appariés")
    parser.add_argument("--epoques", type=int, default=20)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # conseils de Lightning sur le nombre de processus
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    train, _, _ = load_digits(generator=make_generator(0), fractions=(0.8, 0.1, 0.1))
    check_same_updates(train.x, train.y, arguments.epoques)
    names = list(CONTESTANTS)
    for name in names:  # premier passage : imports différés et caches
        time_once(CONTESTANTS[name], train.x, train.y, 1)
    durations = {name: [] for name in names}
    for turn in range(arguments.tours):
        for name in random.Random(turn).sample(names, len(names)):
            durations[name].append(
                time_once(CONTESTANTS[name], train.x, train.y, arguments.epoques)
            )
    return report(durations, len(train.x), arguments)


def report(durations: dict[str, list[float]], n_examples: int, arguments) -> int:
    n_steps = arguments.epoques * -(-n_examples // BATCH_SIZE)
    print(f"PyTorch {torch.__version__}, un fil, {n_examples} exemples, {n_steps} mises à jour")
    print(f"fit : {statistics.median(durations['fit']):.3f} s (médiane, {arguments.tours} tours)")
    missed = 0
    for name, goal in GOALS.items():
        ratios = [
            other / ours for other, ours in zip(durations[name], durations["fit"], strict=True)
        ]
        median, low, high = median_interval(ratios)
        missed += median < goal
        print(
            f"{name:<11} {statistics.median(durations[name]):.3f} s ; durée / fit = {median:.2f} "
            f"[{low:.2f} ; {high:.2f}], but ≥ {goal:.2f} : {'tenu' if median >= goal else 'MANQUÉ'}"
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
