"""Which attempts of chains of critiques vote, from the rows of a tree.

After each round of a chain one attempt stands: the newest finished one. `refined` counts an attempt
once for each round after which it stands, so every chain has as many votes as rounds, also one that
ended early because its attempt was called right. `first_attempts` counts the first of each chain,
which is a plain vote, and `last_attempts` the one that stands at its end.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.rows import Trajectory

FIRST, REFINED, LAST = "first_attempts", "refined", "last_attempts"
"""The picks of chains of critiques."""
Votes = dict[str, float]
"""Votes by pick."""


def chain_of(row: Trajectory, by_id: Mapping[str, Trajectory]) -> int:
    """The chain of attempts that a row belongs to: the sample index of its first attempt."""
    while row.parent_id is not None and row.branch_step == 0:
        row = by_id[row.parent_id]
    return row.sample_index


def votes_of_chains(
    rows: Sequence[Trajectory], chains: Mapping[str, int], rounds: int
) -> dict[str, Votes]:
    """The votes of each finished attempt, by its id.

    Args:
        rows: all attempts of a tree, in order, also those that are not finished.
        chains: the chain of each attempt, by its id.
        rounds: of each chain.
    """
    members: dict[int, list[Trajectory]] = defaultdict(list)
    for row in rows:
        members[chains[row.trajectory_id]].append(row)
    votes: dict[str, Votes] = {}
    for chain in members.values():
        votes |= _votes_of(chain, rounds)
    return votes


def standing_after(chain: Sequence[Trajectory], num_rounds: int) -> Trajectory | None:
    """The newest finished attempt of a chain after so many rounds; None if none is finished."""
    finished = [row for row in chain[: num_rounds + 1] if row.status == "finished"]
    return finished[-1] if finished else None


def _votes_of(chain: Sequence[Trajectory], rounds: int) -> dict[str, Votes]:
    votes = {row.trajectory_id: Votes() for row in chain if row.status == "finished"}
    standing = [standing_after(chain, number) for number in range(1, rounds + 1)]
    for pick, chosen in ((FIRST, [chain[0]]), (REFINED, standing), (LAST, standing[-1:])):
        for row in chosen:
            if row is not None and row.trajectory_id in votes:
                of_row = votes[row.trajectory_id]
                of_row[pick] = of_row.get(pick, 0.0) + 1.0
    return votes
