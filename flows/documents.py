"""Documents into a run, and the index by which searches find them."""

from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from schemas.engines import IndexConfig
from schemas.retrieval import DocumentsJob, RetrievalConfig
from schemas.rows import DOCUMENTS
from schemas.units import Stage, Unit
from storage import Store
from tasks.documents.task import index_documents, load_document_set

_MAX_NOTES = 10


@flow(name="documents", flow_run_name=name_run)
def load_documents(job: DocumentsJob, root: str, run_id: str | None = None) -> str:
    """Load one set of documents and make its index; the index's folder."""
    with recorded_flow(Stage.DOCUMENTS, job, root, run_id, part=job.set_name) as (store, run_id):
        path = _load(job, store, run_id)
        folder, _ = index_documents(store.url, path, job.retriever)
        say(f"documents {job.set_name}: {store.num_rows(path)} documents, index {folder}")
        return folder


def retriever_of(retrieval: RetrievalConfig, store: Store, run_id: str) -> IndexConfig:
    """The retriever of a search, whose documents are loaded and indexed first if need be."""
    path = _load(retrieval.job, store, run_id)
    folder, digest = index_documents(store.url, path, retrieval.retriever)
    return IndexConfig(path=retrieval.index or folder, documents=digest)


def _load(job: DocumentsJob, store: Store, run_id: str) -> str:
    """The file of a set of documents, loaded first if the run lacks it."""
    unit = Unit(run_id=run_id, stage=Stage.DOCUMENTS, name=job.set_name, table=DOCUMENTS.name)
    if not store.has(unit):
        notes = load_document_set(store.url, unit, job.documents)
        for note in notes[:_MAX_NOTES]:
            say(f"documents {job.set_name}: {note}")
        if len(notes) > _MAX_NOTES:
            more = len(notes) - _MAX_NOTES
            say(f"documents {job.set_name}: {more} more; the task's log has all")
    return unit.path
