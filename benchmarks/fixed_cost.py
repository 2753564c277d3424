"""What a small run costs beside generating, and beside an earlier version of the project.

`stepmill run sampling` of the built-in world in turns: from a served model, which answers at once
and whose engine runs in the command's process; from the shipped policy there; and from it in an
actor, which starts Ray. Each is run by this tree and, with `--before`, by a checkout of an earlier
version. Prefect's server is started beforehand. Processor time is that of the command and of all
that it starts, Ray's daemons included (`processor_time.py`), which is shown first on a daemon that
burns a known time. `ratio` is this tree over the earlier one, each the least of its rounds; other
work on the machine hardly affects it. Prints one JSON object on its last line.

    python -m benchmarks.fixed_cost --before ../earlier --problems 100 --samples 16
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.processor_time import DAEMON, measure
from flows.server.prefect_server import end_group, start_server

_PORT = 4221
_VLLM = "{{type: vllm, model: world-policy}}"
_SERVED = (
    "{{type: openai, model: m, server: {{base_url: '{url}', kind: other, max_in_flight: 64}}}}"
)
_KINDS = {"served": (_SERVED, 0), "here": (_VLLM, 0), "actor": (_VLLM, 1)}
"""The policy and the number of actors of each kind of run."""


def main() -> None:
    """Measure each kind of run of each tree in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of an earlier version")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=list(_KINDS))
    arguments = parser.parse_args()
    print("a daemon that burns 2 s:", measure([sys.executable, "-c", DAEMON], os.environ))
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["PREFECT_HOME"] = f"{folder}/prefect"
        prefect = start_server(_PORT)
        serving = [sys.executable, "-m", "benchmarks.served", "--serve", "--delay-s", "0"]
        model = subprocess.Popen(serving, stdout=subprocess.PIPE, text=True)
        assert model.stdout is not None
        url = f"http://127.0.0.1:{model.stdout.readline().strip()}/v1"
        try:
            print(json.dumps(_measure_all(arguments, url, Path(folder))))
        finally:
            model.kill()
            end_group(prefect)


def _measure_all(arguments: argparse.Namespace, url: str, folder: Path) -> dict[str, object]:
    trees = {"now": Path.cwd()} | ({"before": arguments.before} if arguments.before else {})
    seconds: dict[str, dict[str, list[float]]] = {kind: {} for kind in arguments.kinds}
    for turn in range(arguments.rounds):
        for kind in arguments.kinds:
            for name, tree in trees.items():
                root = folder / f"{kind}-{name}-{turn}"
                found = _measure_run(arguments, kind, url, tree.resolve(), root)
                print(f"{kind}, {name}: {found}", flush=True)
                seconds[kind].setdefault(name, []).append(found["processor_s"])
    least = {kind: {t: min(s) for t, s in by_tree.items()} for kind, by_tree in seconds.items()}
    return {
        "solutions": arguments.problems * arguments.samples,
        "processor_s": least,
        "ratio": {k: round(s["now"] / s["before"], 2) for k, s in least.items() if "before" in s},
        "rounds": arguments.rounds,
    }


def _measure_run(
    arguments: argparse.Namespace, kind: str, url: str, tree: Path, root: Path
) -> dict[str, float]:
    policy, num_actors = _KINDS[kind]
    fields = {
        "problems.type": "world",
        "problems.num_problems": arguments.problems,
        "policy": policy.format(url=url),
        "sampling.num_samples": arguments.samples,
        "sampling.max_tokens": 64,
        "sampling.with_logprobs": "false",
        "pool.num_actors": num_actors,
    }
    command = [sys.executable, "-m", "flows.cli", "run", "sampling", "--root", str(root)]
    for name, value in fields.items():
        command += ["--set", f"{name}={value}"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PREFECT_API_URL": f"http://127.0.0.1:{_PORT}/api",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    return measure(command, environment, folder=tree)


if __name__ == "__main__":
    main()
