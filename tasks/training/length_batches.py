"""Batches of rows of similar length: little padding, so little wasted work."""

import random
from collections.abc import Iterator, Sequence


class LengthBatches:
    """Batches of row indices, in a different order each epoch; equal for equal seeds.

    Rows are sorted by length with ties broken at random, cut into batches, and the batches are
    shuffled. It is a batch sampler for torch's DataLoader, and can begin at any epoch, so that a
    resumed training sees the same batches as an uninterrupted one.
    """

    drop_last = False

    def __init__(self, lengths: Sequence[int], *, batch_size: int, seed: int) -> None:
        self.batch_size = batch_size
        self._lengths = lengths
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch; otherwise each iteration is the next one."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of the epoch."""
        rng = random.Random(self._seed)
        for _ in range(self._epoch):
            self._draw(rng)
        order, starts = self._draw(rng)
        self._epoch += 1
        for start in starts:
            yield order[start : start + self.batch_size]

    def _draw(self, rng: random.Random) -> tuple[list[int], list[int]]:
        """An epoch's rows in order of length, and where its batches start among them."""
        order = sorted(range(len(self._lengths)), key=lambda i: (self._lengths[i], rng.random()))
        starts = list(range(0, len(order), self.batch_size))
        rng.shuffle(starts)
        return order, starts
