"""A training set exported: to a folder, by processes that die, and to a hub on this machine."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.commands.export import export_set

NAME = "rest-0123456789ab"


class Hub(ThreadingHTTPServer):
    """Answers as the Hugging Face hub does when a dataset is created and a commit is sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.created = {}
        self.files = {}


class _HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        reply = {"commitOid": "1", "commitUrl": f"{self.server.url}/datasets/me/set/commit/1"}
        if self.path.endswith("/repos/create"):
            self.server.created = json.loads(body)
            reply = {"url": f"{self.server.url}/datasets/me/set"}
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            mode = {"uploadMode": "regular", "shouldIgnore": False}
            reply = {"files": [{"path": name, **mode} for name in names]}
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.files[line["value"]["path"]] = content
        self._answer(reply)

    def do_GET(self):
        self._answer({})

    def _answer(self, reply):
        content = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def hub():
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def push(store, hub_url):
    command = [sys.executable, "-m", "flows.cli", "export", NAME, "--push", "me/set"]
    env = {**os.environ, "HF_ENDPOINT": hub_url, "HF_TOKEN": "hf_test", "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [*command, "--root", store.url], env=env, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def built(store):
    folder = store.root / "datasets" / NAME
    folder.mkdir(parents=True)
    for name in ("README.md", "set.json", "train-00000.parquet"):
        (folder / name).write_text(f"what {name} holds")
    return store


def test_a_push_uploads_the_folder_as_a_private_dataset(built, hub):
    done = push(built, hub.url)
    assert done.returncode == 0, done.stderr
    assert f"{NAME} is in {hub.url}/datasets/me/set" in done.stdout
    assert hub.created["visibility"] == "private"
    folder = built.root / "datasets" / NAME
    assert hub.files == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_hub_that_does_not_answer_is_one_line(built):
    done = push(built, "http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr.startswith("stepmill: --push me/set: the hub refused it: ")
    assert done.stderr.count("\n") == 1


_DIE_AT_1000_BYTES = """
import resource, signal, sys
from pathlib import Path
from flows.commands.export import export_set
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
export_set(sys.argv[1], root=sys.argv[2], target=Path(sys.argv[3]), push=None, output="text")
"""


def test_an_export_killed_in_the_middle_leaves_no_folder_and_goes_on(built, tmp_path):
    """The kernel kills the first process when the third file is half written."""
    folder = built.root / "datasets" / NAME
    (folder / "train-00001.parquet").write_bytes(b"x" * 4000)
    new = tmp_path / "out" / "set"
    arguments = [NAME, built.url, str(new)]
    killed = subprocess.run(
        [sys.executable, "-B", "-c", _DIE_AT_1000_BYTES, *arguments], timeout=120, check=False
    )
    assert killed.returncode == -signal.SIGXFSZ
    assert not new.exists()
    assert [path.name for path in new.parent.iterdir()] == [".set.unfinished"]
    export_set(NAME, root=built.url, target=new, push=None, output="text")
    there = {path.name: path.read_bytes() for path in new.iterdir()}
    assert there == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [path.name for path in new.parent.iterdir()] == ["set"]
