"""Which attempts of a chain stand, and which vote, by hand."""

import pytest

from tasks.critics.chains import chains_of, standing_after, voters_of


@pytest.fixture
def make_chain(make_trajectory):
    def make(*statuses: str):
        return [
            make_trajectory(f"{place}", sample_index=place, status=status)
            for place, status in enumerate(statuses)
        ]

    return make


@pytest.mark.parametrize(
    ("statuses", "rounds", "standing"),
    [
        (["finished", "finished", "finished"], 2, ["0", "1", "2"]),
        (["finished", "truncated", "finished"], 2, ["0", "0", "2"]),
        (["finished", "error", "truncated"], 2, ["0", "0", "0"]),
        (["truncated", "finished"], 1, [None, "1"]),
        (["truncated", "error"], 1, [None, None]),
        (["finished"], 3, ["0", "0", "0", "0"]),
        (["finished", "finished"], 3, ["0", "1", "1", "1"]),
    ],
)
def test_the_newest_finished_attempt_stands_and_votes_once_a_round(
    make_chain, statuses, rounds, standing
):
    chain = make_chain(*statuses)
    found = [standing_after(chain, number) for number in range(rounds + 1)]
    assert [None if row is None else row.trajectory_id for row in found] == standing
    voters = {
        pick: [row.trajectory_id for row in rows] for pick, rows in voters_of(chain, rounds).items()
    }
    assert voters == {
        "first_attempts": [name for name in standing[:1] if name],
        "refined": [name for name in standing[1:] if name],
        "last_attempts": [name for name in standing[-1:] if name],
    }


def test_rows_are_in_the_chain_of_their_first_attempt(make_trajectory):
    after = {"role": "refinement", "branch_step": 0}
    rows = [
        make_trajectory("a", sample_index=0),
        make_trajectory("b", sample_index=1, parent_id="a", status="truncated", **after),
        make_trajectory("c", sample_index=2, parent_id="a", **after),
        make_trajectory("d", sample_index=3),
        make_trajectory("e", sample_index=4, parent_id="c", **after),
    ]
    chains = chains_of(rows, {row.trajectory_id: row for row in rows})
    assert [[row.trajectory_id for row in chain] for chain in chains] == [
        ["a", "b", "c", "e"],
        ["d"],
    ]
