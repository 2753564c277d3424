"""A refiner's completions: critique and correction in one text, by a scripted server."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.rows import PROBLEMS, TRAJECTORIES
from schemas.score import CorrectingConfig
from tasks.critiques.correct import NO_CORRECTION, correct_solutions
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host

REPLIES = {
    "mended": "a wrong\nReview: wrong\nAgain:\n2 * 2 = 4\nAnswer: 4",
    "broken": "a wrong\nReview: wrong\nAgain:\nAnswer: 5",
    "silent": "a right\nAnswer: right\nReview: right",
    "empty": "",
    "unended": "a wrong\nReview: wrong\nAgain:\n",
    "refused": 400,
}
"""By the question of the problem."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = body["messages"][-1]["content"]
        reply = next((r for name, r in REPLIES.items() if name in message), "ready")
        choice = {"index": 0, "finish_reason": "stop"}
        answer = {
            "choices": [{**choice, "message": {"role": "assistant", "content": reply}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }
        if isinstance(reply, int):
            answer = {"error": {"message": "longer than the context", "code": reply}}
        text = json.dumps(answer).encode()
        self.send_response(reply if isinstance(reply, int) else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        """Keep the test's output clean."""


@pytest.fixture
def port():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def correct(store, unit_of, make_problem, make_trajectory, port):
    """The completions of a refiner, by the question of the problem."""

    def run(refiner=None, **fields):
        file = unit_of(PROBLEMS.name, name="eval", stage="problems")
        store.commit(file, [make_problem(name, question=f"{name}?") for name in REPLIES])
        solutions = unit_of(TRAJECTORIES.name, name="eval.00000")
        rows = [make_trajectory(f"s-{name}", problem_id=name) for name in REPLIES]
        cut = make_trajectory("cut", problem_id="mended", status="truncated")
        store.commit(solutions, [*rows, cut])
        server = {"base_url": f"http://127.0.0.1:{port}/v1", "kind": "other"}
        config = CorrectingConfig.from_partial(
            {
                "refiner": {
                    "type": "openai",
                    "model": "acme/refiner",
                    "api": "chat",
                    "server": server,
                    **(refiner or {}),
                },
                "prompt": {"type": "chat"},
                **fields,
            }
        )
        unit = unit_of(
            TRAJECTORIES.name,
            name="eval.00000-r",
            stage="score",
            inputs=(solutions.path, file.path),
        )

        async def do():
            host = Host(store.url, EngineSet(policy=config.refiner))
            await host.open()
            await host.run(unit, correct_solutions, config)

        asyncio.run(do())
        return {row.problem_id: row for row in store.read(unit.path)}

    return run


def test_a_completion_counts_by_its_correction_and_one_without_is_pruned(correct):
    done = correct()
    assert set(done) == set(REPLIES)  # the one that was cut is not refined
    found = {name: (row.status, row.answer, row.correct) for name, row in done.items()}
    assert found == {
        "mended": ("finished", "4", True),
        "broken": ("finished", "5", False),
        "silent": ("pruned", None, None),
        "empty": ("pruned", None, None),
        "unended": ("pruned", None, None),
        "refused": ("error", None, None),
    }
    assert {done[name].reason for name in ("silent", "empty", "unended")} == {NO_CORRECTION}
    assert "longer than the context" in str(done["refused"].error)
    assert done["mended"].text == REPLIES["mended"]
    assert (done["mended"].parent_id, done["mended"].role) == ("s-mended", "refinement")
    assert done["mended"].generated_tokens == 3


def test_a_refiner_draws_as_its_model_recommends_if_told_to(correct, tmp_path):
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.6, "top_p": 0.9}')
    drawing = {"from_model": ["temperature", "top_p"]}
    done = correct({"tokenizer": str(tmp_path)}, drawing=drawing)
    assert {(row.temperature, row.top_p) for row in done.values()} == {(0.6, 0.9)}


def test_the_thought_of_a_refiner_is_counted_and_not_its_correction(correct, monkeypatch):
    thought = "<think>\nAgain:\nAnswer: 5\n</think>\n"
    monkeypatch.setitem(REPLIES, "mended", thought + str(REPLIES["mended"]))
    done = correct(prompt={"type": "chat", "thinking": {"start": "<think>", "end": "</think>"}})
    assert (done["mended"].answer, done["mended"].correct) == ("4", True)
    assert done["mended"].thinking_tokens
    assert done["broken"].thinking_tokens == 0
