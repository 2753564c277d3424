"""What a program in the sandbox may use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run; every process of the program is ended with it."""

    cpu_s: int = 6
    """Processor seconds of each process; at least 1."""
    wall_s: float | None = None
    """Seconds of the whole run; None for five times `cpu_s`, since the machine may be busy."""
    memory_mb: int = 512
    """Address space of each process."""
    num_processes: int = 16
    """Processes and threads at one time."""
    file_mb: int = 16
    """What can be written to /tmp, which is in memory, and the largest file."""
    output_bytes: int = 1 << 20
    """Bytes of stdout, and of stderr; a program that writes more is ended."""

    @property
    def deadline_s(self) -> float:
        """Seconds after which the run is ended."""
        return 5.0 * self.cpu_s if self.wall_s is None else self.wall_s

    @property
    def resources(self) -> dict[str, tuple[int, int]]:
        """Soft and hard limits of each process, by their names in setrlimit(2), in lower case."""
        same = {
            "as": self.memory_mb << 20,
            "nproc": self.num_processes,
            "fsize": self.file_mb << 20,
            "nofile": 256,
            "core": 0,
        }
        limits = {name: (value, value) for name, value in same.items()}
        return limits | {"cpu": (self.cpu_s, self.cpu_s + 1)}
