"""A run's artifacts in Prefect's UI, sent so that no server can slow the run or make it fail.

Each artifact repeats what the store holds, so nothing is lost with it. It is sent from its own
thread, a flow waits for it a few seconds at most, and an error is one line on standard error.
Outside a Prefect run nothing is sent.

A key names what is shown, never the run. Prefect keeps a version of each key per run: the page of
a run shows its own version, the page of a key all of them, and so how a figure changed.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext

from flows.runs.progress import say
from flows.view.links import view_command

_PAGES = {"accuracy": "results", "search": "results", "report": "results", "rounds": "rounds"}
"""By the beginning of a key, the viewer's page that shows more; else that of the run."""
_EVERY_S = 3.0
_TIMEOUT_S = 3.0
_REQUEST_S = 5.0

_reported: set[str] = set()


def in_run() -> bool:
    """Whether this code runs inside a Prefect flow run, which artifacts need."""
    return FlowRunContext.get() is not None


def to_key(*words: str) -> str:
    """An artifact key: the words in lowercase letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def publish_table(key: str, rows: Sequence[Mapping[str, object]], description: str) -> None:
    """Show a table; `description` is Markdown, and lists show its first line."""
    _publish("table", key, json.dumps(list(rows), default=str), description)


def publish_markdown(key: str, text: str, description: str) -> None:
    """Show a page of Markdown."""
    _publish("markdown", key, text, description)


class ProgressArtifact:
    """A percentage with a line of figures, updated while the run works."""

    def __init__(self, key: str, text: str) -> None:
        """Show 0%, and start to send the newest value given to `show` every few seconds."""
        self._key, self._newest = key, (0.0, text)
        self._closing = threading.Event()
        self._sender = _in_background(self._send_often)

    def show(self, share: float, text: str) -> None:
        """Set what is sent next; returns at once.

        Args:
            share: the share that is done, in [0, 1].
            text: the figures in words.
        """
        self._newest = (100.0 * min(max(share, 0.0), 1.0), text)

    def close(self) -> None:
        """Send the last value, and stop."""
        self._closing.set()
        if self._sender is not None:
            self._sender.join(_TIMEOUT_S)

    def _send_often(self, client: SyncPrefectClient, flow_run_id: str) -> None:
        artifact: Any = None
        is_last = False
        while True:
            percent, text = self._newest
            try:
                if artifact is None:
                    draft = _draft("progress", self._key, percent, text, flow_run_id)
                    artifact = client.create_artifact(draft)
                else:
                    update = ArtifactUpdate(data=percent, description=text)
                    client.update_artifact(artifact.id, update)
            except Exception as error:
                _report_once(flow_run_id, error)
            if is_last:
                return
            is_last = self._closing.wait(_EVERY_S)


def _publish(kind: str, key: str, data: str, description: str) -> None:
    if (more := _page_words(key)) is not None:
        description = f"{description}\n\n{more}"

    def send(client: SyncPrefectClient, flow_run_id: str) -> None:
        client.create_artifact(_draft(kind, key, data, description, flow_run_id))

    if (sender := _in_background(send)) is not None:
        sender.join(_TIMEOUT_S)


def _page_words(key: str) -> str | None:
    """The command that opens the page of the flow's run in the viewer; None outside a flow."""
    context = FlowRunContext.get()
    given = context.parameters if context is not None else None
    if not given or not isinstance(given.get("root"), str) or not given.get("run_id"):
        return None
    page = next((page for start, page in _PAGES.items() if key.startswith(start)), "run")
    return f"More: `{view_command(given['root'], page, run=given['run_id'])}`"


def _draft(
    kind: str, key: str, data: str | float, description: str, flow_run_id: str
) -> ArtifactCreate:
    fields = {"type": kind, "key": key, "data": data, "description": description}
    return ArtifactCreate.model_validate({**fields, "flow_run_id": flow_run_id})


def _in_background(work: Callable[[SyncPrefectClient, str], None]) -> threading.Thread | None:
    """Run the work in a thread, with a client whose requests end soon; None outside a run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return None
    flow_run_id = str(context.flow_run.id)

    def run() -> None:
        try:
            with get_client(sync_client=True, httpx_settings={"timeout": _REQUEST_S}) as client:
                work(client, flow_run_id)
        except Exception as error:
            _report_once(flow_run_id, error)

    # The context holds Prefect's settings, including the server's address.
    sender = threading.Thread(target=copy_context().run, args=[run], name="artifacts", daemon=True)
    sender.start()
    return sender


def _report_once(flow_run_id: str, error: Exception) -> None:
    if flow_run_id not in _reported:
        _reported.add(flow_run_id)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        words = f"the Prefect server does not accept artifacts ({reason})"
        say(f"{words}; the run continues without them")
