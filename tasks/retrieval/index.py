"""An index of documents as a folder: what finds them, the documents, and a digest of both.

`index.json` says which retriever made it and the digest of the documents it is of, which
`documents.jsonl` holds. A folder whose documents have another digest is refused, and so is the
index of a set other than the wanted one.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from schemas.engines import RetrievedDocument
from schemas.retrieval import RetrieverConfig
from schemas.rows import Document
from storage.folders import fetch_folder
from tasks.retrieval.bm25 import Bm25Matcher
from tasks.retrieval.dense import DenseMatcher

_FACTS, _DOCUMENTS = "index.json", "documents.jsonl"
_MATCHERS = {"bm25": Bm25Matcher, "dense": DenseMatcher}
_CONFIG: TypeAdapter[RetrieverConfig] = TypeAdapter(RetrieverConfig)


class Matcher(Protocol):
    """What finds documents, by their numbers."""

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs."""
        ...

    def scores(self, query: str) -> Sequence[float]:
        """[num_documents] how well each document fits a query; 0 or less is not at all."""
        ...


@dataclass(frozen=True, slots=True)
class Index:
    """Documents and what finds them."""

    documents: Sequence[Document]
    matcher: Matcher
    name: str
    """The retriever and the digest of the documents, as rows name it."""

    def search(
        self, query: str, num: int, without: frozenset[str] = frozenset()
    ) -> list[RetrievedDocument]:
        """The best documents, the best first, ties in their order; none that does not fit at all.

        Raises:
            ValueError: the number is negative.
        """
        if num < 0:
            raise ValueError(f"num: expected 0 or more documents, got {num}")
        scores = self.matcher.scores(query)
        order = sorted(range(len(self.documents)), key=lambda place: (-scores[place], place))
        found = []
        for place in order:
            if len(found) == num or scores[place] <= 0:
                break
            document = self.documents[place]
            if document.document_id not in without:
                found.append(
                    RetrievedDocument(
                        document_id=document.document_id,
                        title=document.title,
                        text=document.text,
                        position=document.position,
                        score=float(scores[place]),
                    )
                )
        return found


def digest_documents(documents: Sequence[Document]) -> str:
    """Sixteen hex digits that depend on the documents and their order."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(_line(document).encode())
    return digest.hexdigest()[:16]


def build_index(documents: Sequence[Document], config: RetrieverConfig, folder: Path) -> None:
    """Make the index of some documents in a new folder.

    Raises:
        ValueError: there are no documents, two have the same id, or one has no text.
    """
    if not documents:
        raise ValueError("expected documents to index, got none")
    known: set[str] = set()
    for document in documents:
        if not document.text.strip():
            raise ValueError(f"document {document.document_id}: expected text, got none")
        if document.document_id in known:
            raise ValueError(f"document {document.document_id}: expected its id once, got it twice")
        known.add(document.document_id)
    matcher = _MATCHERS[config.type].build([read_as(d) for d in documents], config)
    folder.mkdir(parents=True)
    matcher.save(folder)
    text = "".join(_line(document) for document in documents)
    (folder / _DOCUMENTS).write_text(text, encoding="utf-8")
    facts = {
        "retriever": config.model_dump(mode="json"),
        "documents": digest_documents(documents),
        "num_documents": len(documents),
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def load_index(path: str, documents: str | None = None) -> Index:
    """The index in a folder or at an `s3://` address.

    Args:
        path: where it is.
        documents: the digest of the documents that it must be of; None for any.

    Raises:
        ValueError: there is no index, it is damaged, or it is of other documents.
    """
    folder = _local(path)
    facts = _facts(folder, path)
    with (folder / _DOCUMENTS).open(encoding="utf-8") as lines:
        rows = [Document(**json.loads(line)) for line in lines]
    found = digest_documents(rows)
    if found != facts["documents"]:
        raise ValueError(
            f"index {path}: expected the documents {facts['documents']} that it was made of, its "
            f"{_DOCUMENTS} has {found}"
        )
    if documents not in (None, found):
        raise ValueError(
            f"index {path}: expected an index of the documents {documents}, got one of the "
            f"{len(rows)} documents {found}; make it again, or leave out `index`"
        )
    config = _CONFIG.validate_python(facts["retriever"])
    matcher = _MATCHERS[config.type].load(folder, config)
    return Index(rows, matcher, _name(facts))


def identify_index(path: str) -> str:
    """The name of an index, without loading it.

    Raises:
        ValueError: there is none.
    """
    return _name(_facts(_local(path), path))


def read_as(document: Document) -> str:
    """A document as retrievers read it."""
    return f"{document.title}\n{document.text}" if document.title else document.text


def _local(path: str) -> Path:
    try:
        return fetch_folder(path) if "://" in path else Path(path)
    except FileNotFoundError as error:
        raise ValueError(f"expected an index at {path}: {error}") from error


def _facts(folder: Path, path: str) -> dict:
    try:
        return json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"expected an index at {path}, which `stepmill run documents` makes: {error}"
        ) from error


def _name(facts: dict) -> str:
    return f"{facts['retriever']['type']}-{facts['documents']}"


def _line(document: Document) -> str:
    return json.dumps(asdict(document), ensure_ascii=False, sort_keys=True) + "\n"
