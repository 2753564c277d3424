"""Documents by the words that they share with a query: BM25, by `bm25s` (arXiv:2407.03618)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.retrieval import Bm25Config

_WORD = r"(?u)\b\w+\b"
_FOLDER = "bm25"


class Bm25Matcher:
    """A BM25 index over words in lower case, numbers of one digit included."""

    def __init__(self, index: Any, config: Bm25Config) -> None:
        self._index, self._config = index, config

    @classmethod
    def build(cls, texts: Sequence[str], config: Bm25Config) -> "Bm25Matcher":
        """The index of these texts.

        Raises:
            ValueError: none of them has a word.
        """
        bm25s = _library()

        words = _words(texts, config)
        if not any(words):
            raise ValueError("expected words in the documents, got none beside stop words")
        index = bm25s.BM25(k1=config.k1, b=config.b)
        index.index(words, show_progress=False)
        return cls(index, config)

    @classmethod
    def load(cls, folder: Path, config: Bm25Config) -> "Bm25Matcher":
        """The index that `save` wrote."""
        bm25s = _library()

        return cls(bm25s.BM25.load(folder / _FOLDER, show_progress=False), config)

    def save(self, folder: Path) -> None:
        """Write the index into the folder."""
        self._index.save(folder / _FOLDER, show_progress=False)

    def scores(self, query: str) -> Sequence[float]:
        """[num_documents] BM25 scores; 0 for a document without a word of the query."""
        (words,) = _words([query], self._config)
        known = [word for word in words if word in self._index.vocab_dict]
        if not known:
            return [0.0] * self._index.scores["num_docs"]
        return self._index.get_scores(known)


def _words(texts: Sequence[str], config: Bm25Config) -> list[list[str]]:
    bm25s = _library()

    found = bm25s.tokenize(
        list(texts),
        token_pattern=_WORD,
        stopwords="english" if config.stopwords == "english" else [],
        return_ids=False,
        show_progress=False,
    )
    assert isinstance(found, list)
    return found


def _library() -> Any:
    """`bm25s` without numba, which it loads where it finds it.

    An object of numba's llvmlite has no dictionary of attributes, and vLLM (0.32), which looks at
    all that modules hold, cannot start after it in the same process.
    """
    if "bm25s" not in sys.modules and "numba" not in sys.modules:
        sys.modules["numba"] = None  # type: ignore[assignment]
        try:
            import bm25s
        finally:
            del sys.modules["numba"]
    import bm25s

    return bm25s
