"""Tokens with what they earn above them, in the terminal and as a picture."""

import json
from datetime import UTC, datetime

import pytest

from flows.cli import app
from flows.pages.token_plots import plot_token_rewards
from flows.pages.token_rewards import choose_shown, publish_token_rewards
from flows.tables.token_rewards import heading, lay_out_cells, shade
from schemas.rows import PROBLEMS, TOKEN_REWARDS, TRAJECTORIES, TokenRewards

TOKENS = ("2", " +", " 3", "\n", "5", "")
REWARDS = (0.16, 0.0, -0.04, 0.0, 1.88, 0.0)


def row(name="t0", rewards=REWARDS, **fields):
    values = {
        "reward": "attention[beta=0.8]",
        "verifier": "verifier-1",
        "total": sum(rewards),
        "tokens": TOKENS,
        "rewards": rewards,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return TokenRewards(trajectory_id=name, **{**values, **fields})


@pytest.fixture
def rewarded(store, unit_of, make_problem, make_trajectory):
    store.commit(unit_of(PROBLEMS.name), [make_problem()])
    store.commit(unit_of(TRAJECTORIES.name), [make_trajectory("t0"), make_trajectory("u1")])
    sparse = row(reward="sparse", rewards=(0.0,) * 5 + (2.0,))
    store.commit(unit_of(TOKEN_REWARDS.name, stage="token_rewards"), [row(), sparse])
    return store


def run(*arguments):
    from typer.testing import CliRunner

    return CliRunner().invoke(app, [*arguments])


def test_the_terminal_has_a_number_above_each_token(rewarded):
    shown = run("show", "t0", "--rewards", "--root", rewarded.url)
    assert shown.exit_code == 0, shown.output
    lines = [line.rstrip() for line in shown.output.splitlines()]
    assert "attention[beta=0.8], verifier-1: R = 2, 6 tokens, their sum" in lines
    at = lines.index("attention[beta=0.8], verifier-1: R = 2, 6 tokens, their sum")
    assert lines[at + 1 : at + 5] == ["+.160 0  -.040 0", "2      +  3    ⏎", "+1.88 0", "5     ·"]
    assert "sparse, verifier-1: R = 2, 6 tokens, their sum" in lines


def test_rewards_as_json(rewarded):
    shown = run("show", "t0", "--rewards", "--format", "json", "--root", rewarded.url)
    told = json.loads(shown.stdout)
    assert [each["reward"] for each in told["token_rewards"]] == ["attention[beta=0.8]", "sparse"]
    assert told["token_rewards"][0]["rewards"] == list(REWARDS)
    assert told["trajectory"]["trajectory_id"] == "t0"


def test_a_trajectory_without_rewards_says_how_to_get_them(rewarded):
    shown = run("show", "u1", "--rewards", "--root", rewarded.url)
    assert shown.exit_code != 0
    assert isinstance(shown.exception, ValueError)
    assert "stepmill run token_rewards --run-id run" in str(shown.exception)
    both = run("show", "t0", "--rewards", "--tree", "--root", rewarded.url)
    assert "expected --tree or --rewards, got both" in str(both.exception)


def test_lines_end_where_the_width_or_a_line_of_the_text_does():
    lines = lay_out_cells(TOKENS, REWARDS, max_width=9)
    assert [[cell.text for cell in line] for line in lines] == [
        ["2", " +"],
        [" 3", "⏎"],
        ["5", "·"],
    ]
    (first, *_), *_ = lines
    assert (first.begin, first.width, first.number) == (0, 5, "+.160")
    (wide,) = lay_out_cells(TOKENS[:3], REWARDS[:3], max_width=100)
    assert [cell.begin for cell in wide] == [0, 6, 9]
    assert lay_out_cells((), (), max_width=9) == []
    (long,) = lay_out_cells(("a" * 30,), (1.0,), max_width=9)
    assert len(long) == 1


def test_control_characters_of_tokens_are_written_out():
    ((cell,),) = lay_out_cells(("\x1b[31m",), (0.5,), max_width=80)
    assert "\x1b" not in cell.text


@pytest.mark.parametrize(
    ("reward", "number"),
    [(0.0, "0"), (0.16, "+.160"), (-0.04, "-.040"), (1.04, "+1.04"), (-12.345, "-12.35"),
     (0.0001, "+0"), (-0.0001, "-0"), (0.9999, "+1.000"), (-0.5, "-.500")],
)  # fmt: skip
def test_numbers_are_short(reward, number):
    ((cell,),) = lay_out_cells(("x",), (reward,), max_width=80)
    assert cell.number == number


@pytest.mark.parametrize(
    ("reward", "level"), [(0.0, 0), (1.0, 3), (-1.0, 3), (0.3, 1), (1 / 3, 1), (0.34, 2), (0.7, 3)]
)
def test_the_largest_reward_has_the_strongest_colour(reward, level):
    assert shade(reward, 1.0) == level
    assert shade(0.0, 0.0) == 0


def test_a_sum_that_is_off_is_said():
    from dataclasses import asdict

    assert heading(asdict(row(total=3.0))).endswith("R = 3, 6 tokens, but their sum is 2")
    failed = row(error="the prompt is too long", total=None, tokens=(), rewards=())
    assert heading(asdict(failed)).endswith("verifier-1: the prompt is too long")


def test_the_picture_has_a_block_per_solution(tmp_path):
    from dataclasses import asdict

    from matplotlib.image import imread

    rows = [asdict(row()), asdict(row("t1", rewards=(0.0,) * 6)), asdict(row("t2"))]
    for num in (1, 3):
        plot_token_rewards(rows[:num], tmp_path / f"{num}.png")
    one, three = (imread(tmp_path / f"{num}.png") for num in (1, 3))
    assert three.shape[0] == pytest.approx(3 * one.shape[0], abs=3)
    # Where something is earned there is blue, where it is lost red.
    colours = {tuple(round(float(c), 1) for c in pixel[:3]) for line in one for pixel in line}
    assert any(blue > red + 0.3 for red, _, blue in colours)
    with pytest.raises(ValueError, match="expected rewarded solutions among 1 rows"):
        plot_token_rewards([asdict(row(error="no"))], tmp_path / "none.png")


def test_of_a_long_solution_the_beginning_is_drawn(tmp_path):
    from dataclasses import asdict

    from matplotlib.image import imread

    for num in (300, 3000):
        long = row(tokens=("word ",) * num, rewards=(0.0,) * (num - 1) + (1.0,))
        plot_token_rewards([asdict(long)], tmp_path / f"{num}.png")
    shapes = [imread(tmp_path / f"{num}.png").shape[0] for num in (300, 3000)]
    assert shapes[0] == shapes[1]


def test_solutions_of_the_whole_range_are_shown():
    rows = [row(f"t{i}", rewards=(float(i), 0.0, 0.0, 0.0, 0.0, 0.0)) for i in (5, 3, 9, 1, 7, 0)]
    failed = row("t", error="no", total=None, tokens=(), rewards=())
    assert [each.total for each in choose_shown([failed, *rows], 3)] == [0.0, 3.0, 9.0]
    assert len(choose_shown(rows, 10)) == 6
    assert choose_shown([failed], 3) == []


def test_the_picture_is_kept_in_the_store(rewarded, unit_of):
    path = unit_of(TOKEN_REWARDS.name, stage="token_rewards").path
    name = publish_token_rewards(rewarded, "run", [path], title="eval attention[beta=0.8]")
    assert name == "reports/run/token-rewards-eval-attention-beta-0-8.png"
    assert publish_token_rewards(rewarded, "run", [], title="eval") is None
