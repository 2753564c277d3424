"""A server of a critic that knows the truth about the walks of the Markov engine."""

import json
import math
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tasks.engines.markov_engine import check_walk

P_SURE = 0.9
"""The probability of each verdict that the critic writes."""


class ReviewServer(ThreadingHTTPServer):
    """Answers the prompt of the layout `lines` over the chat API, exactly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reviewed: list[tuple[str, ...]] = []
        """The steps of each solution that it was shown."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        pieces = self._review(body["messages"][-1]["content"])
        message = {"role": "assistant", "content": "".join(pieces)}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        if body.get("logprobs"):
            told = [_tell(piece, body.get("top_logprobs", 0)) for piece in pieces]
            choice["logprobs"] = {"content": told}
        usage = {"prompt_tokens": 20, "completion_tokens": len(pieces)}
        reply = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def _review(self, prompt: str) -> list[str]:
        """The tokens of a review: lines up to the first wrong step, and the verdict."""
        question, *steps = prompt.strip().split("\n")
        if not question.startswith("Walk"):
            return ["1"]  # the trial of an engine that opens
        steps = steps[:-1]
        self.server.reviewed.append(tuple(steps))
        pieces: list[str] = []
        verdicts = check_walk(question, steps)
        for step, is_right in zip(steps, verdicts, strict=True):
            pieces += [step.partition(":")[0], ":", " right" if is_right else " wrong", "\n"]
            if not is_right:
                break
        return [*pieces, "Review:", " right" if all(verdicts) else " wrong"]

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def _tell(piece: str, num: int) -> dict[str, Any]:
    likeliest: Sequence[tuple[str, float]] = [(piece, 1.0)]
    if piece in (" right", " wrong"):
        other = " wrong" if piece == " right" else " right"
        likeliest = [(piece, P_SURE), (other, 1 - P_SURE)]
    told = [{"token": text, "logprob": math.log(p)} for text, p in likeliest]
    return {**told[0], "top_logprobs": told[:num]}


@pytest.fixture
def review_server() -> Iterator[ReviewServer]:
    with ReviewServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
