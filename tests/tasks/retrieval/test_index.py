"""Indexes of documents: BM25 against its formula, dense vectors, and indexes of other documents."""

import asyncio
import json
import math

import numpy as np
import pytest

from schemas.engines import SHIPPED_POLICY, IndexConfig, RetrievalRequest
from schemas.errors import ModelUnusable
from schemas.retrieval import Bm25Config, DenseConfig
from schemas.rows import Document
from tasks.engines.base import Engine, Retriever
from tasks.engines.open import identify_engine, open_engine
from tasks.retrieval.index import build_index, digest_documents, identify_index, load_index

TEXTS = ("Ana keeps bees", "Ben keeps Ben and bees", "Cara sings", "Dan sings to bees")


def make_documents(texts=TEXTS):
    return [
        Document(document_id=f"d{n}", source="test", text=text, position=n)
        for n, text in enumerate(texts)
    ]


def made(folder, documents, config):
    build_index(documents, config, folder)
    return load_index(str(folder))


def lucene_bm25(query, texts, k1=1.5, b=0.75):
    """BM25 in Lucene's form, as bm25s computes it by default."""
    words = [text.lower().split() for text in texts]
    mean = sum(map(len, words)) / len(words)
    scores = []
    for document in words:
        score = 0.0
        for word in query.lower().split():
            number = sum(word in other for other in words)
            if not number:
                continue
            rarity = math.log(1 + (len(words) - number + 0.5) / (number + 0.5))
            count = document.count(word)
            score += rarity * count / (count + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["bees", "Ben sings", "keeps bees", "nothing"])
def test_bm25_orders_documents_by_its_formula(tmp_path, query):
    index = made(tmp_path / "index", make_documents(), Bm25Config(stopwords="none"))
    scores = lucene_bm25(query, TEXTS)
    wanted = sorted((n for n in range(4) if scores[n] > 0), key=lambda n: (-scores[n], n))
    found = index.search(query, 4)
    assert [each.position for each in found] == wanted
    assert [each.score for each in found] == pytest.approx(
        [scores[n] for n in wanted], rel=1e-4, abs=1e-6
    )


def test_titles_are_read_and_unwanted_documents_left_out(tmp_path):
    documents = [
        Document(document_id="a", source="s", title="Diary of Ana", text="rain", position=0),
        Document(document_id="b", source="s", title="Diary of Ben", text="rain", position=1),
        Document(document_id="c", source="s", title="Diary of Cara", text="snow", position=2),
    ]
    index = made(tmp_path / "index", documents, Bm25Config())
    assert [d.document_id for d in index.search("Ben rain", 9)] == ["b", "a"]
    assert [d.document_id for d in index.search("Ben rain", 9, frozenset("b"))] == ["a"]
    assert index.search("Ben rain", 0) == []
    with pytest.raises(ValueError, match="0 or more"):
        index.search("Ben", -1)


def test_an_index_refuses_other_documents(tmp_path):
    documents = make_documents()
    folder = tmp_path / "index"
    build_index(documents, Bm25Config(), folder)
    digest = digest_documents(documents)
    assert load_index(str(folder), digest).name == identify_index(str(folder)) == f"bm25-{digest}"
    other = digest_documents(documents[:-1])
    assert digest_documents(documents[::-1]) != digest
    with pytest.raises(ValueError, match=f"of the documents {other}, got one of the 4"):
        load_index(str(folder), other)
    config = IndexConfig(path=str(folder), documents=other)
    with pytest.raises(ModelUnusable, match=r"retriever: index .* make it again"):
        asyncio.run(open_engine(config, "retriever", separator="\n"))


def test_an_index_whose_documents_were_changed_is_refused(tmp_path):
    folder = tmp_path / "index"
    build_index(make_documents(), Bm25Config(), folder)
    lines = (folder / "documents.jsonl").read_text().splitlines()
    changed = json.dumps({**json.loads(lines[0]), "text": "Ana keeps cats"})
    (folder / "documents.jsonl").write_text("\n".join([changed, *lines[1:]]) + "\n")
    with pytest.raises(ValueError, match="that it was made of"):
        load_index(str(folder))
    with pytest.raises(ValueError, match="which `stepmill run documents` makes"):
        load_index(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([], "expected documents to index"),
        (make_documents(["x", " "]), "d1: expected text"),
        (make_documents(["x"]) * 2, "d0: expected its id once"),
        (make_documents(["?", "!"]), "expected words"),
    ],
)
def test_documents_that_cannot_be_indexed_are_named(tmp_path, documents, said):
    with pytest.raises(ValueError, match=said):
        build_index(documents, Bm25Config(), tmp_path / "index")


def test_dense_vectors_are_means_without_padding(tmp_path):
    """Each vector is that of the text read alone, whatever it is padded to in its batch."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from tasks.models.folders import resolve_model

    texts = ["Monday: Ana has 12 pens.", "Tuesday: Ben buys 3 bags of 4 coins.", "Dan has 5 pens."]
    index = made(tmp_path / "index", make_documents(texts), DenseConfig(model=SHIPPED_POLICY))
    query = "Monday: Ana has 13 pens."
    found = index.search(query, 3)
    folder = resolve_model(SHIPPED_POLICY)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)

    def vector(text):
        with torch.inference_mode():
            ids = tokenizer(text, return_tensors="pt")["input_ids"]
            mean = model.eval()(input_ids=ids).last_hidden_state[0].float().mean(0).numpy()
        return mean / np.linalg.norm(mean)

    cosines = {f"d{n}": float(vector(text) @ vector(query)) for n, text in enumerate(texts)}
    assert found[0].document_id == "d0"
    assert {d.document_id: d.score for d in found} == pytest.approx(
        {name: cosine for name, cosine in cosines.items() if cosine > 0}, abs=1e-5
    )


def test_an_index_is_an_engine_that_only_retrieves(tmp_path):
    folder = tmp_path / "index"
    build_index(make_documents(), Bm25Config(), folder)
    config = IndexConfig(path=str(folder))
    engine = asyncio.run(open_engine(config, "retriever", separator="\n"))
    assert isinstance(engine, Engine)
    assert isinstance(engine, Retriever)
    assert engine.model_id == identify_engine(config, "retriever")
    found = asyncio.run(engine.retrieve(RetrievalRequest(query="Cara", num=2)))
    assert [document.text for document in found] == ["Cara sings"]
    with pytest.raises(ModelUnusable, match="expected an engine that can generate"):
        asyncio.run(open_engine(config, "policy", separator="\n"))
