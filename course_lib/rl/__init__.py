"""Apprentissage par renforcement : environnements, méthodes tabulaires, mémoire, agents."""

from course_lib.rl.catch import Catch
from course_lib.rl.dqn import q_targets, td_loss, train_dqn, update_target
from course_lib.rl.gridworld import GridWorld
from course_lib.rl.parallel import Run, train_a3c
from course_lib.rl.policy import ActorCritic, Collector, Rollout, clipped_loss, improve
from course_lib.rl.replay import ReplayMemory, Transitions
from course_lib.rl.returns import discounted_returns, gae
from course_lib.rl.tabular import (
    Learning,
    Plan,
    epsilon_greedy,
    evaluate_policy,
    q_learning,
    sarsa,
    value_iteration,
)

__all__ = [
    "ActorCritic",
    "Catch",
    "Collector",
    "GridWorld",
    "Learning",
    "Plan",
    "ReplayMemory",
    "Rollout",
    "Run",
    "Transitions",
    "clipped_loss",
    "discounted_returns",
    "epsilon_greedy",
    "evaluate_policy",
    "gae",
    "improve",
    "q_learning",
    "q_targets",
    "sarsa",
    "td_loss",
    "train_a3c",
    "train_dqn",
    "update_target",
    "value_iteration",
]
