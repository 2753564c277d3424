"""Rounds of self-talk: a critic on a server that judges every step, an actor of known chances."""

import asyncio
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from schemas.rows import CRITIQUES, PROBLEMS, TRAJECTORIES, Step
from schemas.self_talk import ModelVoiceConfig, SelfTalkJob
from tasks.critiques.critique import critique_solutions
from tasks.critiques.revise import revise_solutions
from tasks.critiques.talk import write_talks
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.engines.markov_engine import markov_problems

STEP = re.compile(r"^(Step \d+|Answer): (ok|off)?", re.MULTILINE)


class Critic(ThreadingHTTPServer):
    """Judges the steps of every solution that it is asked about, and rewrites chains as told."""

    daemon_threads = True
    rewrites = "I said: {chain}"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []

    def reply(self, message):
        if "Rewrite" in message:
            return self.rewrites.format(chain=message.partition("Rewrite: ")[2])
        lines = []
        for label, word in STEP.findall(message):
            lines.append(f"{label}: {'wrong' if word == 'off' else 'right'}")
            if word == "off":
                break
        verdict = "wrong" if lines and lines[-1].endswith("wrong") else "right"
        return "\n".join([*lines, f"Review: {verdict}"])


class _Handler(BaseHTTPRequestHandler):
    server: Critic

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = body["messages"][-1]["content"]
        self.server.asked.append(message)
        reply = {"role": "assistant", "content": self.server.reply(message)}
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        choice = {"index": 0, "message": reply, "finish_reason": "stop"}
        text = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        """Keep the test's output clean."""


@pytest.fixture
def critic():
    with Critic() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def job_of(critic):
    server = {"base_url": f"http://127.0.0.1:{critic.server_port}/v1", "kind": "other"}
    engine = {"type": "openai", "model": "acme/critic", "api": "chat", "server": server}

    def make(p_right=1 - 1e-12, **fields):
        values = {
            "policy": {"type": "markov", "num_steps": 2, "p_right": p_right},
            "critic": {"engine": engine, "prompt": {"type": "chat"}},
            "grader": {"type": "exact"},
            "max_rounds": 1,
        }
        if fields.pop("rewrites", False):
            template = "{question} Rewrite: {chain}"
            fields["voice"] = {
                "type": "model",
                "engine": engine,
                "prompt": {"type": "chat"},
                "template": template,
            }
        return SelfTalkJob.from_partial({**values, **fields})

    return make


@pytest.fixture
def solved(store, unit_of, make_trajectory):
    """A solution with a wrong second step and a right one, of one problem each."""
    problems = markov_problems(2, seed=5)
    file = unit_of(PROBLEMS.name, name="train", stage="problems")
    store.commit(file, problems)
    texts = {
        "wrong": ("Step 1: ok 1\n", "Step 2: off 2\n", "Answer: no"),
        "right": ("Step 1: ok 3\n", "Step 2: ok 4\n", f"Answer: {problems[1].answer}"),
    }
    rows = [
        make_trajectory(
            name,
            problem_id=problem.problem_id,
            steps=tuple(Step(text=text, num_tokens=1) for text in steps),
            answer=steps[-1].removeprefix("Answer: "),
            correct=name == "right",
        )
        for problem, (name, steps) in zip(problems, texts.items(), strict=True)
    ]
    solutions = unit_of(TRAJECTORIES.name, name="train.00000")
    store.commit(solutions, rows)
    return solutions, file, problems


@pytest.fixture
def talk(store, unit_of, solved):
    """Run one round and write the talks; revisions and talks, each by its strategy."""

    def run(job):
        solutions, file, _ = solved
        stage = {"stage": "self_talk", "run_id": "run"}
        firsts = unit_of(CRITIQUES.name, name="c1", inputs=(solutions.path, file.path), **stage)
        inputs = (firsts.path, solutions.path, file.path)
        revisions = unit_of(TRAJECTORIES.name, name="r1", inputs=inputs, **stage)
        seconds = unit_of(CRITIQUES.name, name="c2", inputs=(revisions.path, file.path), **stage)
        inputs = (file.path, solutions.path, firsts.path, revisions.path, seconds.path)
        talks = unit_of(TRAJECTORIES.name, name="t", inputs=inputs, **stage)
        works = [
            (firsts, critique_solutions),
            (revisions, revise_solutions),
            (seconds, critique_solutions),
            (talks, write_talks),
        ]

        async def do():
            voice = job.voice
            annotator = voice.engine if isinstance(voice, ModelVoiceConfig) else None
            engines = EngineSet(policy=job.policy, critic=job.critic.engine, annotator=annotator)
            host = Host(store.url, engines)
            await host.open()
            for unit, work in works:
                await host.run(unit, work, job)

        asyncio.run(do())
        return store.read(revisions.path), store.read(talks.path)

    return run


def test_the_actor_goes_on_from_before_the_wrong_step(talk, job_of, solved):
    (revision,), _ = talk(job_of())
    gold = solved[2][0].answer
    assert revision.steps[0].text == "Step 1: ok 1\n"
    assert re.fullmatch(r"Step 2: ok \d\n", revision.steps[1].text)
    assert (revision.answer, revision.correct) == (gold, True)
    assert (revision.role, revision.parent_id, revision.branch_step) == ("revision", "wrong", 0)
    assert (revision.error_step, revision.reason) == (1, None)
    assert revision.generated_tokens == 2  # the kept step was there


def test_the_chain_tells_steps_critiques_and_the_mended_rest(talk, job_of, solved):
    (revision,), talks = talk(job_of())
    golds = [problem.answer for problem in solved[2]]
    chains = {row.sample_index: row for row in talks if row.strategy == "chain"}
    mended = revision.steps[1].text
    assert chains[1].text == (
        f"Step 1: ok 1\nStep 1: right\nStep 2: off 2\nStep 2: wrong\n{mended}Step 2: right\n"
        f"Answer: {golds[0]}\nAnswer: right\nAnswer: {golds[0]}"
    )
    assert chains[0].text == (
        f"Step 1: ok 3\nStep 1: right\nStep 2: ok 4\nStep 2: right\n"
        f"Answer: {golds[1]}\nAnswer: right\nAnswer: {golds[1]}"
    )
    assert {row.parent_id for row in chains.values()} == {revision.trajectory_id, "right"}
    assert all(row.correct and row.status == "finished" for row in talks)
    assert all(row.role == "self_talk" and row.generated_tokens == 0 for row in talks)
    assert sorted(row.strategy for row in talks) == ["chain", "chain", "correction", "correction"]


def test_an_error_that_is_left_gives_the_chain_up_and_the_rest_goes_on(talk, job_of):
    """The actor never gets the second step right."""
    _, talks = talk(job_of(p_right=1e-12))
    assert sorted((row.strategy, row.status, row.reason) for row in talks) == [
        ("chain", "finished", None),
        ("chain", "pruned", "an error is left after 1 rounds"),
        ("correction", "finished", None),
    ]


def test_an_actor_that_copies_its_attempt_is_marked(talk, job_of, critic, monkeypatch):
    """The critic finds the right solution's last step wrong, and the actor writes it again."""
    judged = critic.reply

    def reply(message):
        said = judged(message)
        return said.replace("Answer: right\nReview: right", "Answer: wrong\nReview: wrong")

    monkeypatch.setattr(critic, "reply", reply)
    revisions, _ = talk(job_of())
    by_parent = {row.parent_id: row for row in revisions}
    assert by_parent["right"].reason == "it repeats the solution"
    assert by_parent["wrong"].reason is None


@pytest.mark.parametrize(("shows", "more"), [(True, 20), (False, 0)])
def test_the_actor_reads_attempt_and_critique_unless_it_draws_anew(
    talk, job_of, solved, shows, more
):
    """The engine counts words: 10 of the attempt, 8 of the critique, `Review:` and `Again:`."""
    (revision,), _ = talk(job_of(shows_critique=shows))
    num_kept = 1
    assert revision.prompt_tokens == len(solved[2][0].question.split()) + more + num_kept


def test_a_monologue_by_a_model_keeps_its_answer_or_is_pruned(talk, job_of, critic):
    _, talks = talk(job_of(rewrites=True))
    monologues = [row for row in talks if row.strategy == "monologue"]
    assert len(monologues) == 2
    assert all(row.text.startswith("I said: Step 1") for row in monologues)
    assert all(row.status == "finished" and row.correct for row in monologues)
    chains = {row.trajectory_id for row in talks if row.strategy == "chain"}
    assert {row.parent_id for row in monologues} == chains
    assert {(row.policy, row.generated_tokens) for row in monologues} == {
        ("openai--acme--critic", 3)
    }


def test_a_monologue_is_recorded_as_it_was_drawn(talk, job_of, tmp_path):
    """By the annotator, as its model recommends."""
    (tmp_path / "generation_config.json").write_text('{"temperature": 0.6, "top_p": 0.9}')
    job = job_of(rewrites=True)
    voice = job.voice.with_fields(
        engine=job.voice.engine.with_fields(tokenizer=str(tmp_path)),
        rewriting={"from_model": ("temperature", "top_p")},
    )
    _, talks = talk(job.with_fields(voice=voice))
    drawn = {(r.temperature, r.top_p, r.engine) for r in talks if r.strategy == "monologue"}
    assert drawn == {(0.6, 0.9, "openai other")}


@pytest.mark.parametrize("said", ["I am not sure.", "I say it is Answer: 99"])
def test_a_monologue_that_changes_the_answer_is_pruned(talk, job_of, critic, said):
    critic.rewrites = said
    _, talks = talk(job_of(rewrites=True))
    monologues = [row for row in talks if row.strategy == "monologue"]
    assert {(row.status, row.reason) for row in monologues} == {
        ("pruned", "its answer is not that of the chain")
    }


def test_what_is_no_review_of_the_world_has_no_monologue_in_its_voice(talk, job_of):
    """The lines `Step 1: right` are none of the built-in world's."""
    _, talks = talk(job_of(voice={"type": "world"}))
    monologues = [row for row in talks if row.strategy == "monologue"]
    assert {row.status for row in monologues} == {"pruned"}
    assert all("expected a line of a review" in str(row.reason) for row in monologues)


@pytest.mark.parametrize(
    "fields",
    [
        {"critiquing": {"num_critiques": 2}},
        {"refining": {"num_refinements": 2}},
        {"refining": {"num_retries": 1}},
    ],
)
def test_a_chain_has_no_branches(fields):
    with pytest.raises(ValueError, match="a chain has no branches"):
        SelfTalkJob.from_partial(fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"of": "error_paths"}, "of: expected samples"),
        ({"critic": {"type": "labels", "method": "checker"}}, "critic: expected one that reads"),
    ],
)
def test_what_has_no_revisions_to_judge_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        SelfTalkJob.from_partial(fields)


def test_a_template_names_the_chain_once():
    with pytest.raises(ValidationError, match=r"\{chain\} exactly once"):
        ModelVoiceConfig(template="{question}")
