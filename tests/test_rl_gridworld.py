"""Monde en grille : interface Gymnasium, graines, modèle exact contre simulation, refus."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.rl.gridworld import CLIFF, GridWorld

UP, RIGHT, DOWN, LEFT = range(4)
examples = settings(max_examples=30, deadline=None)


@pytest.fixture
def registered():
    gymnasium.register("cours/Grille-v0", entry_point=GridWorld)
    yield "cours/Grille-v0"
    gymnasium.registry.pop("cours/Grille-v0")


@st.composite
def worlds(draw):
    """Une grille quelconque d'un seul départ, glissante ou non."""
    n_rows, n_columns = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    letters = draw(
        st.lists(
            st.sampled_from(".#GPCa"), min_size=n_rows * n_columns, max_size=n_rows * n_columns
        )
    )
    letters[draw(st.integers(0, len(letters) - 1))] = "S"
    rows = ["".join(letters[i * n_columns : (i + 1) * n_columns]) for i in range(n_rows)]
    return GridWorld(rows, slip=draw(st.sampled_from([0.0, 0.3, 1.0])), rewards={"a": 2.5})


def play(env, actions, seed=0, **options):
    env.reset(seed=seed, options=options or None)
    return [env.step(action)[:4] for action in actions]


@pytest.mark.parametrize("options", [{}, {"slip": 0.3, "max_steps": 20}])
def test_the_environment_passes_the_checker_of_gymnasium(registered, options):
    env = gymnasium.make(registered, layout=CLIFF, render_mode="rgb_array", **options)
    check_env(env.unwrapped)


def test_the_cliff_is_the_one_of_sutton_and_barto():
    env = GridWorld.cliff()
    safe = play(env, [UP] + 11 * [RIGHT] + [DOWN])
    assert [reward for _, reward, *_ in safe] == 13 * [-1.0]
    assert safe[-1] == (47, -1.0, True, False)
    assert play(env, [RIGHT, UP]) == [(36, -100.0, False, False), (24, -1.0, False, False)]


def test_walls_and_borders_stop_the_agent_and_still_cost_a_step():
    env = GridWorld(["S#", ".."])
    assert [state for state, *_ in play(env, [UP, LEFT, RIGHT, DOWN, RIGHT])] == [0, 0, 0, 2, 3]
    assert {reward for _, reward, *_ in play(env, [UP, RIGHT])} == {-1.0}


def test_rewards_are_those_of_the_cell_that_is_entered():
    env = GridWorld(["SaP"], step_reward=-0.5, rewards={"a": 3.0, "P": -7.0})
    assert play(env, [UP, RIGHT, UP, RIGHT]) == [
        (0, -0.5, False, False), (1, 3.0, False, False),
        (1, 3.0, False, False), (2, -7.0, True, False),
    ]  # fmt: skip


def test_the_step_limit_truncates_and_never_terminates():
    env = GridWorld(["S.G"], max_steps=3)
    flags = [(terminated, truncated) for *_, terminated, truncated in play(env, 3 * [LEFT])]
    assert flags == [(False, False), (False, False), (False, True)]


def test_arriving_at_the_very_last_step_is_a_termination_and_not_a_truncation():
    assert play(GridWorld(["S.G"], max_steps=2), 2 * [RIGHT])[-1] == (2, -1.0, True, False)


def test_the_same_seed_gives_the_same_slips_and_another_seed_others():
    env = GridWorld.cliff(slip=0.5)
    first, again, other = (play(env, 40 * [UP, RIGHT], seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_reset_can_choose_the_cell_to_start_from():
    assert play(GridWorld(["S..G"]), [RIGHT], state=2) == [(3, -1.0, True, False)]


@examples
@given(worlds())
def test_transitions_are_laws_and_resting_cells_stay_put(env):
    P, R, terminal = env.transitions()
    np.testing.assert_allclose(P.sum(axis=2), 1)
    assert (P >= 0).all()
    letters = np.array(list("".join(env.layout)))
    np.testing.assert_array_equal(terminal, np.isin(letters, list("G#PC")))
    assert (P[terminal, :, terminal] == 1).all()
    assert (R[terminal] == 0).all()
    assert P[:, :, np.isin(letters, ["#", "C"])][~terminal].sum() == 0  # jamais dans un mur


def test_transitions_equal_the_simulated_frequencies_and_rewards():
    env = GridWorld(["S.C", "a#G"], slip=0.4, rewards={"a": 5.0})
    P, R, _ = env.transitions()
    env.reset(seed=0)
    for state in (0, 1, 3):
        for action in range(4):
            seen = []
            for _ in range(2000):
                env.reset(options={"state": state})
                seen.append(env.step(action)[:2])
            arrivals, rewards = (np.array(values) for values in zip(*seen, strict=True))
            frequencies = np.bincount(arrivals, minlength=6) / 2000
            np.testing.assert_allclose(frequencies, P[state, action], atol=0.045)  # 4 écarts types
            assert abs(rewards.mean() - R[state, action]) < 4 * rewards.std() / 2000**0.5 + 1e-9


def test_slipping_always_moves_sideways():
    P, _, _ = GridWorld(["...", ".S.", "..."], slip=1.0).transitions()
    assert P[4, UP].tolist() == P[4, DOWN].tolist()
    assert np.flatnonzero(P[4, UP]).tolist() == [3, 5]
    assert P[4, UP, 3] == P[4, UP, 5] == 0.5


def test_the_picture_shows_the_agent_where_it_is():
    env = GridWorld(["S.G"], render_mode="rgb_array")
    env.reset()
    before = env.render()
    env.step(RIGHT)
    after = env.render()
    assert before.shape == (16, 48, 3)
    assert before.dtype == np.uint8
    assert before[8, 8].tolist() == after[8, 24].tolist() == [0, 114, 178]
    assert before[8, 24].tolist() == after[8, 8].tolist()
    assert GridWorld(["SG"]).render() is None


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ([], {}), (["S.", "..."], {}), (["..G"], {}), (["SS"], {}), (["S?"], {}), ("S.G", {}),
        (["SG"], {"slip": 1.5}), (["SG"], {"slip": -0.1}), (["SG"], {"render_mode": "human"}),
        (["SG"], {"max_steps": 0}),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_in_french(layout, options):
    with pytest.raises(ValueError, match=r"reçu|slip de 0 à 1"):
        GridWorld(layout, **options)


def test_impossible_moves_and_starts_are_refused():
    env = GridWorld(["S#G"])
    with pytest.raises(ValueError, match=r"reset\(\)"):
        env.step(0)
    for state in (1, 2, 7):
        with pytest.raises(ValueError, match="choisir une case libre"):
            env.reset(options={"state": state})
    env.reset()
    with pytest.raises(ValueError, match="de 0 à 3"):
        env.step(4)
