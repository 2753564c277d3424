"""Documents in a search: they are retrieved by a query and shown before the question."""

import re
from collections.abc import Sequence

from schemas.engines import RetrievalRequest, RetrievedDocument
from schemas.retrieval import RetrievalConfig
from tasks.prompts.render import render
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.session import Search


async def begin_search(
    asked: str,
    budget: int,
    context: SearchContext,
    *,
    seed: int,
    answers: Answers | None = None,
    retrieves_itself: bool = False,
) -> Search:
    """The search of a question, behind the documents that it retrieves, if the context has some.

    Args:
        asked: the question of the problem.
        budget: candidates to make (N).
        context: engines and limits.
        seed: the seed of everything that is drawn.
        answers: the problem's.
        retrieves_itself: the strategy retrieves, so that the first prompt shows no document.
    """
    retrieval = context.retrieval
    if retrieval is None:
        return Search(asked, budget, context, seed=seed, answers=answers)
    num = 0 if retrieves_itself else retrieval.num_documents
    found = await context.retriever.retrieve(RetrievalRequest(query=asked, num=num)) if num else []
    shown = in_order(found, retrieval)
    search = Search(
        show_documents(asked, shown, retrieval),
        budget,
        context,
        seed=seed,
        answers=answers,
        asked=asked,
        documents=ids_of(shown),
    )
    search.root.num_retrievals = int(num > 0)
    return search


def show_documents(
    asked: str, documents: Sequence[RetrievedDocument], retrieval: RetrievalConfig
) -> str:
    """The question as models read it; without documents it stands alone."""
    question = re.sub(retrieval.hidden, "", asked) if retrieval.hidden else asked
    if not documents:
        return question
    has_title = "{title}" in retrieval.document_layout
    texts = [
        render(
            retrieval.document_layout,
            text=document.text,
            **({"title": document.title or ""} if has_title else {}),
        )
        for document in documents
    ]
    return render(retrieval.layout, documents=retrieval.joiner.join(texts), question=question)


def in_order(
    documents: Sequence[RetrievedDocument], retrieval: RetrievalConfig
) -> list[RetrievedDocument]:
    """The documents in the order in which they are shown."""
    if retrieval.order == "source":
        return sorted(documents, key=lambda document: document.position)
    return list(documents)


def ids_of(documents: Sequence[RetrievedDocument]) -> tuple[str, ...]:
    """The ids of some documents."""
    return tuple(document.document_id for document in documents)
