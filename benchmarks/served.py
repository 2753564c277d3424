"""What a sampling run from a model server costs beside the server: in this process, in an actor.

A server on this machine answers each completion after a fixed delay, so that only clients differ.
In turns, each in a process of its own: `stepmill run sampling`, whose engine runs in the command's
process; the same with `pool.num_actors: 1`, which starts Ray and an actor; a bare client of the
same library that writes the texts to a file, as the floor; and distilabel, if a Python is given
that has it. Prefect's server is started beforehand. A run's processor time is that of its process
and all that it started, Ray's daemons included, until the last has ended; the servers' is left out
(`processor_time.py`).
Prints one JSON object on its last line.

    python -m benchmarks.served --problems 200 --samples 4 --distilabel-python .venv-peer/bin/python
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.processor_time import measure
from flows.server.prefect_server import end_group, start_server

_IN_FLIGHT = 64
_PORT = 4219
_ANSWER = "12 + 7 = 19\n19 * 3 = 57\nAnswer: 57"

BARE = """
import asyncio, json, sys
from pathlib import Path
import openai

async def main(url, folder, num_problems, num_samples, in_flight):
    client = openai.AsyncOpenAI(api_key="none", base_url=url)
    slots = asyncio.Semaphore(in_flight)
    async def ask(problem, index):
        async with slots:
            answer = await client.completions.create(
                model="m", prompt=f"{problem} + 1 =", max_tokens=64, seed=index)
        return {"problem": problem, "text": answer.choices[0].text}
    asked = [ask(p, i) for p in range(num_problems) for i in range(num_samples)]
    rows = await asyncio.gather(*asked)
    Path(folder, "rows.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))

url, folder, *numbers = sys.argv[1:]
asyncio.run(main(url, folder, *map(int, numbers)))
"""

DISTILABEL = """
import sys
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

url, folder, num_problems, num_samples, in_flight = sys.argv[1:]
with Pipeline(name="served", cache_dir=folder) as pipeline:
    rows = [{"instruction": f"{p} + 1 ="} for p in range(int(num_problems))]
    load = LoadDataFromDicts(data=rows, batch_size=int(in_flight))
    limit = {"max_new_tokens": 64}
    llm = OpenAILLM(model="m", base_url=url, api_key="none", generation_kwargs=limit)
    ask = TextGeneration(
        llm=llm,
        num_generations=int(num_samples),
        group_generations=False,
        input_batch_size=int(in_flight),
    )
    load >> ask
made = pipeline.run(use_cache=False)
assert len(made["default"]["train"]) == int(num_problems) * int(num_samples)
"""


async def serve(delay_s: float) -> None:
    """Answer OpenAI's completions and chat API until the process is ended; prints the port."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()).strip():
                name, _, value = line.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
            asked = json.loads(await reader.readexactly(length)) if length else {}
            if head.startswith(b"POST"):
                await asyncio.sleep(delay_s)
            body = json.dumps(_answer(head.decode(), asked)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _answer(head: str, asked: dict[str, Any]) -> dict[str, Any]:
    if "/models" in head:
        return {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "other"}]}
    n = asked.get("n") or 1
    fields: dict[str, Any] = {"finish_reason": "stop", "logprobs": None}
    if "/chat/" in head:
        fields["message"] = {"role": "assistant", "content": _ANSWER}
    else:
        fields["text"] = _ANSWER
    return {
        "id": "x",
        "object": "completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": index, **fields} for index in range(n)],
        "usage": {"prompt_tokens": 8, "completion_tokens": 24 * n, "total_tokens": 8 + 24 * n},
    }


def main() -> None:
    """Measure each client in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--delay-s", type=float, default=0.1, help="of an answer")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--distilabel-python", type=Path)
    parser.add_argument("--without-actor", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.delay_s))
        return
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["PREFECT_HOME"] = f"{folder}/prefect"
        prefect = start_server(_PORT)
        own = [sys.executable, "-m", "benchmarks.served"]
        model = subprocess.Popen(
            [*own, "--serve", "--delay-s", str(arguments.delay_s)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert model.stdout is not None
        url = f"http://127.0.0.1:{model.stdout.readline().strip()}/v1"
        try:
            print(json.dumps(_measure_all(arguments, url, Path(folder))))
        finally:
            model.kill()
            end_group(prefect)


def _measure_all(arguments: argparse.Namespace, url: str, folder: Path) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PREFECT_API_URL": f"http://127.0.0.1:{_PORT}/api",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    numbers = [str(n) for n in (arguments.problems, arguments.samples, _IN_FLIGHT)]
    fields = {
        "problems.type": "world",
        "problems.num_problems": arguments.problems,
        "policy.type": "openai",
        "policy.model": "m",
        "policy.server.base_url": url,
        "policy.server.kind": "other",
        "policy.server.max_in_flight": _IN_FLIGHT,
        "sampling.num_samples": arguments.samples,
        "sampling.max_tokens": 64,
        "sampling.with_logprobs": "false",
    }
    run = [sys.executable, "-m", "flows.cli", "run", "sampling"]
    for name, value in fields.items():
        run += ["--set", f"{name}={value}"]
    arms = {
        "bare": [sys.executable, "-c", BARE, url, "{folder}", *numbers],
        "here": [*run, "--root", "{folder}"],
        "actor": [*run, "--root", "{folder}", "--set", "pool.num_actors=1"],
    }
    if arguments.without_actor:
        del arms["actor"]
    if arguments.distilabel_python is not None:
        arms["distilabel"] = [
            str(arguments.distilabel_python), "-c", DISTILABEL, url, "{folder}", *numbers
        ]  # fmt: skip
    measured: dict[str, Any] = {"solutions": arguments.problems * arguments.samples}
    for turn in range(arguments.rounds):
        for name, command in arms.items():
            place = folder / f"{name}-{turn}"
            place.mkdir()
            filled = [word.replace("{folder}", str(place)) for word in command]
            found = measure(filled, environment)
            print(name, found, flush=True)
            measured.setdefault(name, []).append(found)
    return measured


if __name__ == "__main__":
    main()
