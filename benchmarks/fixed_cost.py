"""What a small run costs beside generating: with an actor, and in the process of the command.

The same `stepmill run sampling` of the built-in world in turns, each in a process of its own: with
`pool.num_actors: 1`, which starts Ray and an actor, and with 0. Prefect's server is started
beforehand. Processor time is that of the run's process and all that it started, Ray's daemons
included, until the last has ended; of it, what generates is estimated from a run of a tenth of the
solutions: the slope between the two. The figure to compare is `ratio`, the fixed cost without an
actor over that with one, which other work on the machine hardly affects. Prints one JSON object on
its last line.

    python -m benchmarks.fixed_cost --problems 100 --samples 16
"""

import argparse
import ctypes
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.served import keep, measure
from flows.server.prefect_server import end_group, start_server

_PORT = 4221
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Measure both in turns, small and large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["PREFECT_HOME"] = f"{folder}/prefect"
        prefect = start_server(_PORT)
        keep(prefect.pid)
        try:
            print(json.dumps(_measure_all(arguments, Path(folder))))
        finally:
            end_group(prefect)


def _measure_all(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    environment = {
        **os.environ,
        "PREFECT_API_URL": f"http://127.0.0.1:{_PORT}/api",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    seconds: dict[tuple[int, int], list[float]] = {}
    small = max(arguments.problems // 10, 1)
    for turn in range(arguments.rounds):
        for num_problems in (small, arguments.problems):
            for num_actors in (1, 0):
                root = folder / f"{turn}-{num_problems}-{num_actors}"
                fields = {
                    "problems.type": "world",
                    "problems.num_problems": num_problems,
                    "policy": "{type: vllm, model: world-policy}",
                    "sampling.num_samples": arguments.samples,
                    "pool.num_actors": num_actors,
                }
                run = [sys.executable, "-m", "flows.cli", "run", "sampling", "--root", str(root)]
                for name, value in fields.items():
                    run += ["--set", f"{name}={value}"]
                found = measure(run, environment)
                print(f"actors {num_actors}, problems {num_problems}", found, flush=True)
                seconds.setdefault((num_actors, num_problems), []).append(found["processor_s"])
    least = {key: min(values) for key, values in seconds.items()}
    fixed = {}
    for num_actors in (1, 0):
        low, high = least[num_actors, small], least[num_actors, arguments.problems]
        fixed[num_actors] = low - (high - low) * small / (arguments.problems - small)
    return {
        "solutions": arguments.problems * arguments.samples,
        "processor_s": {f"actors={a}": least[a, arguments.problems] for a in (1, 0)},
        "fixed_s": {f"actors={a}": round(fixed[a], 1) for a in (1, 0)},
        "ratio": round(fixed[0] / fixed[1], 2),
        "rounds": arguments.rounds,
    }


if __name__ == "__main__":
    main()
