"""Hard labels by relative progress (GenPRM, arXiv:2504.00891, section 3.1).

With MC the share of right rollouts, a step is right if MC after it is at least `min_progress` times
MC before it; after the first step with MC = 0 every step is wrong. Deviation: the paper does not
say what a step is compared with if no rollout of the question itself was right; here such a step
is right if one of its own rollouts is.
"""

from collections.abc import Sequence


def progress_labels(
    before: float | None, after: Sequence[float | None], min_progress: float
) -> list[bool | None]:
    """Label every step of a solution.

    Args:
        before: the share of right rollouts of the question; None if unknown.
        after: [num_steps] the shares after each step; None if unknown.
        min_progress: the least ratio of a right step.

    Returns:
        [num_steps] the labels; None where one of the two shares is unknown.
    """
    labels: list[bool | None] = []
    is_lost = False
    for share in after:
        if is_lost or share == 0:
            is_lost = True
            labels.append(False)
        elif share is None or before is None:
            labels.append(None)
        else:
            labels.append(share >= min_progress * before)
        before = share
    return labels
