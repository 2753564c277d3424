"""Several actors on one server: they share its limits, and none is blamed for its faults."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.engines import MarkovConfig, OpenAIConfig, ServerConfig
from schemas.graders import ExactGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from storage import connect, query
from tasks.engines.actor_pool import ActorPool
from tasks.engines.engine_set import EngineSet
from tasks.sampling.sample import sample_problems

NUM_PROBLEMS = 40


class ModelServer(ThreadingHTTPServer):
    """Answers every prompt with `4` until it goes down."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.asked_at = []
        """When each completion was requested."""
        self.goes_away_after = None
        """How many completions it answers before it goes down."""

    def is_away(self):
        return self.goes_away_after is not None and len(self.asked_at) > self.goes_away_after


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.asked_at.append(time.monotonic())
            status = 503 if self.server.is_away() else 200
        choice = {"index": 0, "text": "4", "finish_reason": "stop", "logprobs": None}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        body = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Keep the test's output clean."""


@pytest.fixture
def server():
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def policy_of(server, **fields):
    url = f"http://127.0.0.1:{server.server_port}/v1"
    limits = {"base_url": url, "kind": "other", **fields}
    return OpenAIConfig(model="acme/solver", server=ServerConfig.model_validate(limits))


@pytest.fixture
def problems(store, make_problem):
    """A set of problems, and the units that sample four each."""
    source = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(source, [make_problem(f"p{i:02d}") for i in range(NUM_PROBLEMS)])
    return source


def job_for(policy, **pool):
    return SamplingJob(
        problems=WorldProblemsConfig(),
        policy=policy,
        grader=ExactGraderConfig(),
        sampling=SamplingConfig(
            num_samples=1, max_tokens=8, trajectories_per_unit=4, with_logprobs=False
        ),
        pool=PoolConfig(**pool),
    )


def ask(store, sql):
    return query(connect(store.url), sql).fetchall()


def test_limits_of_a_server_are_shared_by_the_actors():
    server = ServerConfig(base_url="http://localhost/v1", requests_per_minute=90, max_in_flight=8)
    served = OpenAIConfig(model="m", server=server)
    engines = EngineSet(policy=served, verifier=MarkovConfig())
    policy = engines.shared_by(3)["policy"]
    assert isinstance(policy, OpenAIConfig)
    assert (policy.server.requests_per_minute, policy.server.max_in_flight) == (30, 2)
    assert engines.shared_by(3)["verifier"] == MarkovConfig()
    assert engines.shared_by(1) == engines
    with pytest.raises(ValueError, match=r"expected at most 8, .*max_in_flight.*, got 9"):
        engines.shared_by(9)
    assert not engines.are_served()
    assert EngineSet(policy=served).are_served()
    assert not EngineSet().are_served()


@pytest.mark.ray
@pytest.mark.slow
def test_served_engines_get_one_actor_unless_more_are_asked_for(store, local_ray, server):
    for num_actors, expected in ((None, 1), (2, 2)):
        pool = ActorPool(
            store.url, EngineSet(policy=policy_of(server)), PoolConfig(num_actors=num_actors)
        )
        pool.start()
        assert len(pool.process_ids()) == expected
        pool.close()


@pytest.mark.ray
@pytest.mark.slow
def test_a_rate_limit_holds_for_all_actors_together(store, local_ray, server, problems):
    policy = policy_of(server, requests_per_minute=1200)
    job = job_for(policy, num_actors=2)
    pool = ActorPool(store.url, EngineSet(policy=policy), job.pool)
    pool.start()
    begun = time.monotonic()
    threads = []
    for start in range(0, NUM_PROBLEMS, 10):
        unit = Unit(
            run_id="run",
            stage="sampling",
            name=f"eval.{start:05d}",
            table="trajectories",
            inputs=(problems.path,),
            rows=(start, start + 10),
        )
        threads.append(threading.Thread(target=pool.run, args=(unit, sample_problems, job)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    pool.close()
    assert len(server.asked_at) == 2 + NUM_PROBLEMS  # each actor tries the server first
    # 20 a second: each of the two sends one every tenth of a second, and one sends half or more.
    assert max(server.asked_at) - begun >= (NUM_PROBLEMS / 2 - 1) * 0.1


@pytest.mark.ray
@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_run_and_no_unit_is_blamed(
    store, local_ray, prefect_server, server, problems
):
    from flows.runs.units import UnitsFailed
    from flows.sampling import sample

    job = job_for(policy_of(server, retry_timeout_s=1.0), num_actors=2)
    server.goes_away_after = 2 + NUM_PROBLEMS // 2
    with pytest.raises(UnitsFailed) as ended:
        sample(job, store.url, "run")
    url = f"http://127.0.0.1:{server.server_port}/v1"
    assert f"EngineUnreachable: server {url} did not recover within 1 s: 503" in str(ended.value)
    assert "a run with the same run id does the rest" in str(ended.value)
    assert ask(store, "select count(*) from failures") == [(0,)]
    ((num_there,),) = ask(store, "select count(*) from trajectories")
    assert 0 < num_there < NUM_PROBLEMS
    assert ask(store, "select distinct status from trajectories") == [("finished",)]

    server.goes_away_after = None
    sample(job, store.url, "run")
    counts = "count(*), count(distinct problem_id), count(*) filter (status = 'finished')"
    assert ask(store, f"select {counts} from trajectories") == [(NUM_PROBLEMS,) * 3]
