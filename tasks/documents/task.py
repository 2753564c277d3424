"""The documents stage's Prefect tasks: one set of documents, and its index."""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from schemas.retrieval import DocumentsConfig, RetrieverConfig
from schemas.units import Unit, derive_id
from storage import Store
from tasks.documents.load import load_documents
from tasks.retrieval.index import build_index, digest_documents

INDEXES = "indexes"
"""The folder of a store that holds its indexes."""


@task(task_run_name="load documents {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def load_document_set(root: str, unit: Unit, config: DocumentsConfig) -> list[str]:
    """Load a set of documents into the run; a note per row that is left out."""
    documents, notes = load_documents(config)
    for note in notes:
        get_run_logger().warning("documents %s: %s", unit.name, note)
    Store(root).commit(unit, documents)
    return notes


@task(task_run_name="index {path}", cache_policy=NO_CACHE, persist_result=False)
def index_documents(root: str, path: str, config: RetrieverConfig) -> tuple[str, str]:
    """Make the index of a file of documents, unless the store has it.

    Returns:
        The index's folder as a path or URL, and the digest of the documents.
    """
    store = Store(root)
    documents = store.read(path)
    digest = digest_documents(documents)
    name = f"{INDEXES}/{config.type}-{derive_id(digest, config.config_hash())}"
    try:
        found = store.local_folder(name).is_dir()
    except FileNotFoundError:
        found = False
    if not found:
        with store.scratch() as folder:
            built = Path(folder) / "index"
            build_index(documents, config, built)
            store.put_folder(built, name)
    return f"{store.url}/{name}", digest
