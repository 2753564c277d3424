"""What every training's config is checked for, whatever it trains."""


def check_batch(batch_size: int, micro_batch_size: int | None, num_workers: int) -> None:
    """Refuse a batch that workers cannot share, or that cannot be cut into micro-batches.

    Args:
        batch_size: rows of one optimizer step, over all workers.
        micro_batch_size: rows a worker holds at once; None for its whole share.
        num_workers: training processes; 0 is the calling one.

    Raises:
        ValueError: names the field and says what was expected.
    """
    workers = max(num_workers, 1)
    if batch_size % workers:
        raise ValueError(
            f"batch_size: expected a multiple of num_workers={workers}, got {batch_size}"
        )
    share = batch_size // workers
    if micro_batch_size is not None and share % micro_batch_size:
        raise ValueError(
            f"micro_batch_size: expected a divisor of {share}, a worker's share of the "
            f"batch, got {micro_batch_size}"
        )
