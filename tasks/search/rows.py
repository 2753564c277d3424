"""A finished search as `trajectories` rows: every node of its tree is in exactly one of them.

A row ends at a leaf and contains the steps since it branched off another row, which `parent_id` and
`branch_step` identify (see `tasks.steps.trees`). Candidates come first, so shared stems are in
their rows. Only a candidate that the policy ended is `finished`. Solutions that were drawn but not
used are `pruned`, with the reason. Text that is not part of a solution (a judgement, a critique,
lookahead steps) comes last, with its role; the `answer` of a critique is its verdict, `right` or
`wrong`. Tokens are counted in the row of the node they were spent on.
"""

from collections.abc import Container, Sequence
from dataclasses import replace

from schemas.rows import Problem, Status, Step, Trajectory, now
from schemas.units import derive_id
from tasks.graders import Grade, Grader
from tasks.graders.verdicts import verdict
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.session import Search
from tasks.search.tree import SOLUTION_ROLES, Node, walk
from tasks.steps.outputs import columns_of_kinds
from tasks.steps.token_ids import token_columns

_UNUSED = "the search ended"


async def make_rows(
    search: Search,
    candidates: Sequence[Node],
    *,
    problem: Problem,
    strategy: str,
    grader: Grader,
    scope: str,
) -> list[Trajectory]:
    """The rows of a tree, candidates first and in their given order.

    Args:
        search: a search whose strategy has ended.
        candidates: the nodes that the strategy returned, without repetition.
        problem: the problem that was searched.
        strategy: the value of the `strategy` column.
        grader: judges every finished or truncated solution, whether it was used or not.
        scope: the scope in which ids are unique.
    """
    chosen = dict.fromkeys(candidates)
    roots = sorted(search.roots, key=lambda root: root.path)
    leaves = [n for root in roots for n in walk(root) if _is_leaf(n) and n not in chosen]
    order = [*chosen, *sorted(leaves, key=lambda leaf: leaf.role is not None)]
    grades = await _grade(order, search.context, search.answers or Answers(grader, problem))
    ids = {
        leaf: derive_id(scope, problem.problem_id, strategy, search.budget, index)
        for index, leaf in enumerate(order)
    }
    owners: dict[Node, str] = {}
    retrievals = {root: root.num_retrievals for root in roots}
    rows = []
    for index, (leaf, row_id) in enumerate(ids.items()):
        root, own = leaf.root, _own_nodes(leaf, owners)
        rows.append(
            replace(
                _row(search, leaf, own, is_candidate=leaf in chosen, grade=grades[index]),
                trajectory_id=row_id,
                problem_id=problem.problem_id,
                strategy=strategy,
                role=leaf.role,
                sample_index=index,
                grader=grader.name,
                critique_id=None if root.given is None else ids[root.given],
                retrieval_ids=root.documents,
                num_retrievals=_take_retrievals(root, retrievals),
                **_branch(leaf, own, owners, ids),
            )
        )
        owners |= dict.fromkeys(own, row_id)
    return rows


def _is_leaf(node: Node) -> bool:
    """Whether no node with the same role continues it."""
    return all(child.role != node.role for child in node.children)


async def _grade(leaves: Sequence[Node], context: SearchContext, answers: Answers) -> list[Grade]:
    """The grade of each leaf's text."""
    is_graded = [n.state in ("finished", "truncated") and n.role in SOLUTION_ROLES for n in leaves]
    texts = [context.answer_text(n.writer, n.text) for n in leaves]
    graded = [text for text, graded in zip(texts, is_graded, strict=True) if graded]
    grade_of = dict(zip(graded, await answers.grade(graded), strict=True))
    return [
        verdict(grade_of[text] if graded else None, node.state, "solution")
        for node, text, graded in zip(leaves, texts, is_graded, strict=True)
    ]


def _row(
    search: Search, leaf: Node, own: Sequence[Node], *, is_candidate: bool, grade: Grade
) -> Trajectory:
    """A row without its id and the other columns that identify it."""
    context = search.context
    writer = context.engines[leaf.writer]
    status: Status = "pruned"
    if leaf.state == "error" or (leaf.state != "open" and (is_candidate or leaf.role is not None)):
        status = leaf.state
    reason = leaf.reason if status in ("pruned", "truncated") else None
    steps = tuple(_stored_step(node) for node in own if node.step is not None)
    before = own[0].parent.text if own and own[0].parent is not None else ""
    return Trajectory(
        trajectory_id="",
        problem_id="",
        policy=writer.model_id,
        strategy="",
        sample_index=0,
        status=status,
        error=leaf.reason if status == "error" else None,
        steps=steps,
        thinking_tokens=context.prompt_formats[leaf.writer].count_thinking(steps, before),
        answer=grade.answer if leaf.verdict is None else "right" if leaf.verdict else "wrong",
        correct=grade.correct,
        check_result=grade.check,
        grader="",
        temperature=context.limits.temperature if leaf.temperature is None else leaf.temperature,
        top_p=context.limits.top_p,
        seed=leaf.seed,
        prompt_tokens=sum(node.cost.prompt_tokens for node in own),
        cached_tokens=sum(node.cost.cached_tokens for node in own),
        generated_tokens=sum(node.cost.generated_tokens for node in own),
        scored_tokens=sum(node.cost.scored_tokens for node in own),
        verifier_tokens=sum(node.cost.verifier_tokens for node in own) or None,
        engine=writer.name,
        created_at=now(),
        budget=search.budget,
        verifier=context.verifier.model_id if context.verifier else None,
        error_step=leaf.error_step,
        reason=reason or (_UNUSED if status == "pruned" else None),
        **token_columns(_own_ids(own), writer.vocabulary),
        **columns_of_kinds([node.kind for node in own if node.step is not None], steps),
    )


def _own_nodes(leaf: Node, owners: Container[Node]) -> list[Node]:
    """The nodes of a prefix that are in no row yet; all nodes before one that is are in one too."""
    own: list[Node] = []
    node = leaf
    while node.parent is not None and node not in owners:
        own.append(node)
        node = node.parent
    return own[::-1]


def _own_ids(own: Sequence[Node]) -> list[int] | None:
    """The tokens of a row's own nodes; None if some are not known."""
    ids: list[int] = []
    for node in own:
        if node.own_ids is None:
            return None
        ids += node.own_ids
    return ids


def _take_retrievals(root: Node, left: dict[Node, int]) -> int | None:
    """The queries of a root, for its first row; None in a search without documents."""
    if root.documents is None:
        return None
    num, left[root] = left[root], 0
    return num


def _branch(
    leaf: Node, own: Sequence[Node], owners: dict[Node, str], ids: dict[Node, str]
) -> dict[str, str | int | None]:
    """The row that this one continues, and after how many of its steps."""
    root = leaf.root
    parent = own[0].parent
    if parent is not None and parent in owners:
        return {"parent_id": owners[parent], "branch_step": parent.num_steps}
    if root.after is not None:
        after = owners.get(root.after) or ids[root.after]
        return {"parent_id": after, "branch_step": 0}
    return {"parent_id": None, "branch_step": None}


def _stored_step(node: Node) -> Step:
    assert node.step is not None
    return replace(node.step, score=node.score, value=node.value, visits=node.visits)
