"""The values that a command's `--format` may have."""


def check_format(output: str, *known: str) -> None:
    """Reject a format that a command does not print.

    Raises:
        ValueError: names the formats that it prints.
    """
    if output not in known:
        words = f"{', '.join(known[:-1])} or {known[-1]}"
        raise ValueError(f"expected --format {words}, got {output!r}")
