"""Chains of attempts, from the rows of a tree: which one stands after a round, and which vote.

After each round of a chain one attempt stands: the newest finished one. The pick `refined` counts
an attempt once for each round after which it stands, so every chain has as many votes as rounds,
also one that ended early because its attempt was called right. `first_attempts` counts the first of
each chain, which is a plain vote, and `last_attempts` the one that stands at its end.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.rows import Trajectory

FIRST, REFINED, LAST = "first_attempts", "refined", "last_attempts"
"""The picks of chains of critiques."""
Chain = Sequence[Trajectory]
"""The attempts of a chain in the order written, also those that are not finished."""


def chains_of(rows: Sequence[Trajectory], by_id: Mapping[str, Trajectory]) -> list[Chain]:
    """The chains of a tree's attempts, in the order of the rows.

    Args:
        rows: all attempts of a tree.
        by_id: all rows of that tree.
    """
    chains: dict[int, list[Trajectory]] = defaultdict(list)
    for row in rows:
        chains[chain_of(row, by_id)].append(row)
    return list(chains.values())


def chain_of(row: Trajectory, by_id: Mapping[str, Trajectory]) -> int:
    """The chain of attempts that a row belongs to: the sample index of its first attempt."""
    while row.parent_id is not None and row.branch_step == 0:
        row = by_id[row.parent_id]
    return row.sample_index


def standing_after(chain: Chain, num_rounds: int) -> Trajectory | None:
    """The newest finished attempt of a chain after so many rounds; None if none is finished."""
    finished = [row for row in chain[: num_rounds + 1] if row.status == "finished"]
    return finished[-1] if finished else None


def voters_of(chain: Chain, num_rounds: int) -> dict[str, list[Trajectory]]:
    """The attempts of a chain that vote in each pick, as often as they do."""
    standing = [standing_after(chain, number) for number in range(1, num_rounds + 1)]
    chosen = {FIRST: [standing_after(chain, 0)], REFINED: standing, LAST: standing[-1:]}
    return {
        pick: [row for row in rows if row is not None and row.status == "finished"]
        for pick, rows in chosen.items()
    }
