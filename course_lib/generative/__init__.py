"""Modèles génératifs : pertes, bornes et distances que partagent plusieurs chapitres."""

from course_lib.generative.adversarial import (
    BeganState,
    began_step,
    critic_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from course_lib.generative.distances import (
    covered_modes,
    discrete_wasserstein,
    energy_distance,
    wasserstein_1d,
)
from course_lib.generative.gaussian import gaussian_kl, importance_bound
from course_lib.generative.networks import Decoder, Encoder

__all__ = [
    "BeganState",
    "Decoder",
    "Encoder",
    "began_step",
    "covered_modes",
    "critic_loss",
    "discrete_wasserstein",
    "discriminator_loss",
    "energy_distance",
    "gaussian_kl",
    "generator_loss",
    "gradient_penalty",
    "importance_bound",
    "wasserstein_1d",
]
