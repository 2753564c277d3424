"""RATP over hand-written documents: what thoughts read, are worth, and cost."""

import asyncio

import pytest

from schemas.engines import MarkovConfig, ModelRole
from schemas.graders import ExactGraderConfig
from schemas.retrieval import Bm25Config, FileDocumentsConfig, RetrievalConfig
from schemas.rows import Document
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.ratp import RatpConfig
from schemas.search.strategies import MajorityConfig
from tasks.engines.base import Engine
from tasks.engines.host import Counters
from tasks.engines.index_engine import IndexEngine
from tasks.graders import make_grader
from tasks.prompts.formats import PromptFormat
from tasks.retrieval.index import build_index, load_index
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.decide import decide
from tasks.search.documents import begin_search
from tasks.search.rows import make_rows
from tasks.search.strategies.ratp import first_sizes
from tasks.search.strategies.registry import STRATEGIES

TEXTS = (
    "Finn saw the key at the house of Cara",  # found by the question
    "Cara put the box under the stairs",  # found only through the first one
    "The key of Ben is in the attic",
    "A key opens many doors",
)
FORMAT = PromptFormat(
    build=lambda messages: "\n".join(message.text for message in messages),
    has_chat_template=False,
    separator="\n",
)


def needs(*numbers):
    """A policy that is right exactly if it reads these documents, else it says how many it read."""

    def table(prompt):
        if prompt.endswith("Review:"):
            said = "x right\nReview: right" if "Answer: 4" in prompt else "x wrong\nReview: wrong"
            return {"": {said: 1.0}}
        read = [n for n, text in enumerate(TEXTS) if text in prompt]
        answer = 4 if set(numbers) <= set(read) else 10 + len(read)
        return {"": {f"Answer: {answer}": 1.0}}

    return table


@pytest.fixture
def look(tmp_path, table_engine, make_problem):
    """Search over the documents; the search, its rows, the decisions and the policy."""
    documents = [
        Document(document_id=f"d{n}", source="s", text=text, position=n)
        for n, text in enumerate(TEXTS)
    ]
    build_index(documents, Bm25Config(), tmp_path / "index")
    retriever = IndexEngine(load_index(str(tmp_path / "index")))

    def run(strategy, table, *, budget=12, verifier=None, **retrieval):
        policy = table_engine(table)
        config = RetrievalConfig(
            documents=FileDocumentsConfig(path=tmp_path / "d.jsonl"), joiner="\n", **retrieval
        )
        job = SearchJob(
            policy=MarkovConfig(),
            verifier=MarkovConfig() if verifier else None,
            grader=ExactGraderConfig(),
            strategies=(strategy,),
            budgets=(budget,),
            score=ScoreConfig(by="verifier" if verifier else "likelihood"),
            limits=SearchLimits(),
            retrieval=config,
        )
        engines: dict[ModelRole, Engine] = {"policy": policy, "critic": policy}
        engines["retriever"] = retriever
        context = SearchContext(
            engines={**engines, **({"verifier": verifier} if verifier else {})},
            prompt_formats=dict.fromkeys(("policy", "critic"), FORMAT),
            limits=job.limits,
            score=job.score,
            needs_likelihood=False,
            counters=Counters(),
            retrieval=config,
        )
        grader = make_grader(job.grader)
        problem = make_problem(question="Where is the key that Finn saw?")

        async def search_it():
            search = await begin_search(
                problem.question,
                budget,
                context,
                seed=1,
                answers=Answers(grader, problem),
                retrieves_itself=strategy.needs_documents,
            )
            ends = await STRATEGIES[type(strategy)](search, strategy)
            label = job.label(strategy)
            return await make_rows(
                search, ends, problem=problem, strategy=label, grader=grader, scope="x"
            )

        rows = asyncio.run(search_it())
        decisions = decide([problem], rows, job=job, strategy=strategy, grader=grader)
        (main,) = [decision for decision in decisions if decision.is_main]
        return rows, main, policy

    return run


def test_a_later_query_finds_what_the_question_does_not(look):
    """The second document shares no word with the question, but with the first one."""
    rows, main, _ = look(RatpConfig(scorer="oracle"), needs(0, 1), num_documents=1)
    assert main.correct
    best = rows[0]
    assert best.trajectory_id == main.trajectory_id
    assert {"d0", "d1"} <= set(best.retrieval_ids)
    once, _, _ = look(MajorityConfig(), needs(0, 1), budget=1, num_documents=4)
    assert set(once[0].retrieval_ids) == {"d0", "d2", "d3"}
    assert not once[0].correct
    assert once[0].num_retrievals == 1


def test_rows_say_what_was_read_and_what_it_came_from(look):
    rows, _, policy = look(RatpConfig(scorer="likelihood"), needs(9), num_documents=1)
    assert len(rows) == len(policy.requests) <= 12
    by_id = {row.trajectory_id: row for row in rows}
    sets = [frozenset(row.retrieval_ids) for row in rows]
    assert len(set(sets)) == len(sets)
    for row in rows:
        assert row.status == "finished"
        assert row.answer == str(10 + len(row.retrieval_ids))
        if row.parent_id is not None:
            assert row.branch_step == 0
            assert set(by_id[row.parent_id].retrieval_ids) < set(row.retrieval_ids)
    assert any(row.parent_id for row in rows)
    assert sum(row.num_retrievals for row in rows) <= 8
    again, _, _ = look(RatpConfig(scorer="likelihood"), needs(9), num_documents=1)
    assert [r.trajectory_id for r in again] == [r.trajectory_id for r in rows]
    assert [r.retrieval_ids for r in again] == [r.retrieval_ids for r in rows]


@pytest.mark.parametrize("num_calls", [2, 3, 12])
def test_model_calls_are_bounded_critiques_included(look, num_calls):
    config = RatpConfig(max_calls=num_calls)
    rows, _, policy = look(config, needs(9), num_documents=2)
    assert len(policy.requests) <= num_calls
    assert sum(row.role == "critic" for row in rows) == sum(row.role is None for row in rows)
    assert sum(row.role is None for row in rows) == min(num_calls // 2, len(rows) // 2)


def test_queries_are_bounded(look):
    rows, _, _ = look(RatpConfig(scorer="likelihood", max_retrievals=1), needs(9), num_documents=1)
    assert sum(row.num_retrievals for row in rows) == 1
    assert {row.retrieval_ids for row in rows} <= {("d0",), ("d0", "d2"), ("d0", "d2", "d3")} | {
        row.retrieval_ids for row in rows if row.parent_id is not None
    }


def test_self_critique_chooses_what_it_calls_right(look):
    rows, main, _ = look(RatpConfig(), needs(0, 1), num_documents=1)
    assert main.correct
    assert main.answer == "4"
    verdicts = {row.parent_id: row.answer for row in rows if row.role == "critic"}
    assert verdicts[main.trajectory_id] == "right"


def test_a_verifier_reads_thoughts_after_their_own_prompts(look, table_engine):
    scores = {"Answer: 11": 0.2, "Answer: 12": 0.9, "Answer: 13": 0.5, "Answer: 14": 0.4}
    verifier = table_engine({}, scores)
    _, main, policy = look(
        RatpConfig(scorer="verifier"), needs(9), verifier=verifier, num_documents=2
    )
    assert main.answer == "12"
    assert sorted(verifier.prompts_scored) == sorted(request.prompt for request in policy.requests)


def test_flat_thoughts_read_lists_of_several_lengths(look):
    rows, _, policy = look(
        RatpConfig(scorer="likelihood", select="flat"), needs(9), num_documents=2, budget=5
    )
    assert {row.parent_id for row in rows} == {None}
    assert sorted(len(row.retrieval_ids) for row in rows) == [1, 1, 2, 2, 3]
    assert sum(row.num_retrievals for row in rows) == 1
    assert len({request.seed for request in policy.requests}) == 5


def test_sizes_begin_near_the_wanted_number():
    assert first_sizes(4, 3, 8) == [4, 3, 5]
    assert first_sizes(1, 3, 8) == [1, 2, 3]
    assert first_sizes(9, 2, 3) == [3, 2]
    assert first_sizes(4, 3, 0) == []


def test_no_document_found_ends_the_search_unfinished(look):
    rows, main, policy = look(RatpConfig(max_documents=1), needs(9), num_documents=1)
    assert {len(row.retrieval_ids) for row in rows if row.role is None} == {1}
    assert main.status == "decided"
    assert len(policy.requests) == 2


def test_ratp_needs_documents_and_calls():
    with pytest.raises(ValueError, match="retrieval: expected documents, as ratp"):
        SearchJob(strategies=(RatpConfig(),), score=ScoreConfig(by="likelihood"))
    with pytest.raises(ValueError, match="max_calls of at least 2"):
        RatpConfig(max_calls=1).check_budget(4)


def test_a_chain_reads_one_document_more_each_time_while_there_are_queries(look):
    """Thoughts of 1, 2 and 3 documents by three queries, then the question's lists of 3 and 2."""
    strategy = RatpConfig(scorer="likelihood", select="chain", max_retrievals=3, max_documents=3)
    rows, _, _ = look(strategy, needs(9), budget=5, num_documents=1)
    made = sorted(rows, key=lambda row: row.sample_index)
    assert [len(row.retrieval_ids) for row in made] == [1, 2, 3, 2, 3]
    assert [row.num_retrievals for row in made] == [1, 1, 1, 0, 0]
    by_id = {row.trajectory_id: row for row in rows}
    first, second, third = made[:3]
    assert set(first.retrieval_ids) < set(second.retrieval_ids) < set(third.retrieval_ids)
    assert by_id[second.parent_id] is first
    assert by_id[third.parent_id] is second
    assert [row.parent_id for row in made[3:]] == [None, None]
