"""Retrieval: the documents of a run, how they are found, and how a prompt shows them."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import FrozenConfig, SetName
from schemas.problems import RowFile, WorldProblemsConfig


class DiariesConfig(FrozenConfig):
    """The sentences of the built-in world's stories, in diaries among those of other people."""

    type: Literal["diaries"] = "diaries"
    problems: WorldProblemsConfig = WorldProblemsConfig(diaries=True)
    """The problems whose stories the diaries hold."""
    num_others: Annotated[int, Field(ge=0)] = 400
    """Stories that no problem is about; they are of the same split."""

    @model_validator(mode="after")
    def _are_diaries(self) -> Self:
        if not self.problems.diaries:
            raise ValueError("problems.diaries: expected true, as the stories are in diaries")
        return self


class FileDocumentsConfig(FrozenConfig):
    """A JSONL or Parquet file with a document per row; rows without text are left out."""

    type: Literal["file"] = "file"
    path: RowFile
    """The file: `.jsonl`, `.json` or `.parquet`."""
    source: str | None = None
    """The `source` of the documents, part of every id; None for the file's name without
    extension."""
    text_column: Annotated[str, Field(min_length=1)] = "text"
    """Column of the text."""
    title_column: str | None = None
    """Column of a title, which only the retriever reads unless the layout names it."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Use only the first rows; None for all."""


DocumentsConfig = Annotated[DiariesConfig | FileDocumentsConfig, Field(discriminator="type")]


class Bm25Config(FrozenConfig):
    """Documents by the words they share with a query (BM25, by `bm25s`)."""

    type: Literal["bm25"] = "bm25"
    k1: Annotated[float, Field(ge=0)] = 1.5
    """How much a word that occurs again counts."""
    b: Annotated[float, Field(ge=0, le=1)] = 0.75
    """How much long documents are held against."""
    stopwords: Literal["english", "none"] = "english"
    """Words that do not count."""


class DenseConfig(FrozenConfig):
    """Documents by the cosine of mean-pooled hidden states of a model, computed on this machine."""

    type: Literal["dense"] = "dense"
    model: Annotated[str, Field(min_length=1)]
    """Folder in Hugging Face format, or an id on the hub: an encoder or a language model."""
    revision: str | None = None
    """Commit, tag or branch of an id."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Tokens of a text that are read; the rest is cut off."""
    query_prefix: str = ""
    """What stands before a query, such as `query: ` for E5."""
    document_prefix: str = ""
    """What stands before a document, such as `passage: ` for E5."""


RetrieverConfig = Annotated[Bm25Config | DenseConfig, Field(discriminator="type")]


class DocumentsJob(FrozenConfig):
    """Which documents a run gets, and the index by which they are found."""

    documents: DocumentsConfig
    """Where they come from."""
    set_name: SetName = "documents"
    """The name of this set in the run."""
    retriever: RetrieverConfig = Bm25Config()
    """How they are found."""


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {pattern!r}: {error}") from error
    return pattern


class RetrievalConfig(FrozenConfig):
    """The documents of a search, and how the policy is shown some of them with the question."""

    documents: DocumentsConfig
    """Where they come from; loaded into the run first if it does not have them."""
    set_name: SetName = "documents"
    """The name of this set in the run."""
    retriever: RetrieverConfig = Bm25Config()
    """How they are found."""
    index: str | None = None
    """Folder of a finished index of these documents; None to make one in the store."""
    num_documents: Annotated[int, Field(ge=0)] = 4
    """Documents that are retrieved once, by the question, and shown with it; 0 shows none. A
    strategy that retrieves by itself begins around this number."""
    order: Literal["rank", "source"] = "rank"
    """How they are shown: the best first, or as they follow one another in their source."""
    layout: str = "{documents}\n\n{question}"
    """The whole question; `{documents}` and `{question}` are filled in."""
    document_layout: str = "{text}"
    """One document; `{title}` and `{text}` are filled in."""
    joiner: str = "\n\n"
    """What stands between two documents."""
    hidden: Annotated[str, AfterValidator(_check_pattern)] = ""
    """Regular expression of the part of a question that only the retriever reads."""

    @model_validator(mode="after")
    def _names_places(self) -> Self:
        for place in ("{documents}", "{question}"):
            if place not in self.layout:
                raise ValueError(f"layout: expected {place} in it, got {self.layout!r}")
        if "{text}" not in self.document_layout:
            raise ValueError(
                f"document_layout: expected {{text}} in it, got {self.document_layout!r}"
            )
        return self

    @property
    def job(self) -> DocumentsJob:
        """What loads the documents and makes their index."""
        return DocumentsJob(
            documents=self.documents, set_name=self.set_name, retriever=self.retriever
        )


DIARIES = RetrievalConfig(
    documents=DiariesConfig(),
    order="source",
    layout="{documents} {question}",
    joiner=" ",
    hidden=r"^Week \d+: ",
)
"""The diaries of the built-in world, laid out as a story that the shipped policy can read: the
sentences day by day, then the question without its week."""
