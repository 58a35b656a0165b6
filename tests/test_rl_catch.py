"""Attrape : interface Gymnasium, graines, oracle sans faute, chutes et rebonds, fins séparées."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.rl.catch import BRIGHT, SIZE, Catch

examples = settings(max_examples=30, deadline=None)


def play(env, choose, seed):
    """Joue une partie et rend son score, sa durée, ``terminated`` et ``truncated``."""
    env.reset(seed=seed)
    score, n_steps = 0.0, 0
    while True:
        _, reward, terminated, truncated, _ = env.step(choose())
        score, n_steps = score + reward, n_steps + 1
        if terminated or truncated:
            return score, n_steps, terminated, truncated


@pytest.mark.parametrize("options", [{}, {"gap": 1, "lives": 1, "max_steps": None}])
def test_gymnasium_finds_nothing_to_say(options):
    env = Catch(render_mode="rgb_array", **options)
    env.spec = EnvSpec("Attrape-v0", entry_point=Catch, kwargs=options)
    check_env(env)  # un avertissement ferait échouer le test


@examples
@given(st.integers(1, 14), st.integers(0, 10_000), st.integers(1, 60))
def test_the_oracle_catches_every_ball(gap, seed, max_steps):
    env = Catch(gap=gap, max_steps=max_steps, lives=1)
    score, n_steps, terminated, truncated = play(env, env.oracle, seed)
    assert score == env.best_score == sum(t >= 8 and (t - 8) % gap == 0 for t in range(n_steps + 1))
    assert (n_steps, terminated, truncated) == (max_steps, False, True)


@examples
@given(st.integers(1, 8), st.integers(0, 10_000))
def test_no_player_beats_the_best_score(gap, seed):
    env = Catch(gap=gap)
    rng = np.random.default_rng(seed)
    assert play(env, lambda: int(rng.integers(3)), seed)[0] <= env.best_score


def test_the_same_seed_gives_the_same_game_and_another_seed_another_one():
    def frames(seed):
        env = Catch(lives=10)
        first = env.reset(seed=seed)[0]
        return np.stack([first, *(env.step(t % 3)[0] for t in range(18))])

    assert np.array_equal(frames(3), frames(3))
    assert not np.array_equal(frames(3), frames(4))


def test_balls_fall_one_pixel_a_step_and_bounce_on_both_walls():
    bounced = {0: False, SIZE - 1: False}
    for seed in range(40):
        env = Catch(gap=20)
        obs, _ = env.reset(seed=seed)
        path = []
        for _ in range(8):
            path.append([int(i) for i in np.argwhere(obs[0, 1:-1])[0]])
            obs = env.step(env.oracle())[0]
        rows, columns = np.array(path).T
        moves = np.diff(columns)
        assert rows.tolist() == list(range(8))
        assert len(set(np.abs(moves))) == 1  # même dérive tout du long, au signe près
        for turn in np.flatnonzero(np.diff(moves)) + 1:
            bounced[columns[turn]] = True  # KeyError si elle tourne ailleurs qu'à un mur
    assert all(bounced.values())


def test_the_second_image_is_the_previous_one_and_each_is_the_callers_own():
    env = Catch()
    before, _ = env.reset(seed=0)
    kept = before.copy()
    after = env.step(1)[0]
    assert np.array_equal(after[1], kept[0])
    assert np.array_equal(before, kept)
    after[:] = 7
    assert env.step(1)[0].max() == BRIGHT


def test_a_missed_ball_costs_a_point_and_a_life_and_the_last_one_ends_the_game():
    env = Catch(lives=2)

    def flee():
        return 2 - env.oracle() if env.oracle() != 1 else 0

    score, _, terminated, truncated = play(env, flee, seed=1)
    assert terminated
    assert not truncated
    with pytest.raises(ValueError, match="reset"):
        env.step(1)
    env.reset(seed=1)
    lives = [env.step(flee())[4]["lives"] for _ in range(8)]
    assert lives[:7] == [2] * 7
    assert score < 0


def test_lives_and_paddle_are_on_the_screen():
    obs, info = Catch(lives=4).reset(seed=5)
    assert info == {"lives": 4}
    assert (obs[0, 0] == BRIGHT).tolist() == [True] * 4 + [False] * 6
    assert (obs[0, -1] == BRIGHT).sum() == 3


def test_losing_the_last_life_on_the_last_step_is_an_end_not_a_cut():
    env = Catch(lives=1, max_steps=8)
    ends = []
    for seed in range(30):
        env.reset(seed=seed)
        ends += [tuple(env.step(0)[2:4]) for _ in range(8)][-1:]
    assert set(ends) == {(True, False), (False, True)}


def test_the_rendered_image_shows_the_ball_where_the_observation_has_it():
    env = Catch(render_mode="rgb_array")
    obs, _ = env.reset(seed=2)
    image = env.render()
    assert image.shape == (160, 160, 3)
    assert image.dtype == np.uint8
    lit = image[8::16, 8::16].max(axis=2) > 100
    assert np.array_equal(lit, obs[0] > 0)
    assert Catch().render() is None


def test_it_runs_vectorized_with_same_step_reset():
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    envs = gymnasium.vector.SyncVectorEnv([lambda: Catch(lives=1)] * 3, autoreset_mode=mode)
    envs.reset(seed=0)
    for _ in range(60):
        _, _, terminated, _, info = envs.step(np.zeros(3, dtype=int))
        if terminated.any():
            final = info["final_obs"][terminated.argmax()]
            assert (final[0, 0] == 0).all()  # plus aucune vie dans la vraie dernière image
            return
    pytest.fail("aucune partie perdue en 60 pas sans bouger")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gap": 0}, "gap doit être un entier ≥ 1"),
        ({"lives": 11}, "au plus 10 vies"),
        ({"max_steps": 0}, "max_steps doit être un entier ≥ 1"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_bad_settings_are_refused_in_french(options, message):
    with pytest.raises(ValueError, match=message):
        Catch(**options)


@pytest.mark.parametrize("action", [3, -1, None])
def test_an_unknown_action_is_refused(action):
    env = Catch()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions de 0 à 2"):
        env.step(action)
    with pytest.raises(ValueError, match="reset"):
        Catch().step(1)
