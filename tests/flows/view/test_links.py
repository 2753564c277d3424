"""Commands that name a page of the viewer, and the addresses that they print."""

import shlex

import pytest

from flows.view.guard import Access
from flows.view.links import say_page, view_command


def test_a_command_has_the_page_as_one_argument():
    command = view_command("/my store", "run", run="it's")
    assert shlex.split(command) == [
        "stepmill", "view", "--root", "/my store", "run?run=it%27s",
    ]  # fmt: skip
    assert view_command("s3://b/p", "runs") == "stepmill view --root s3://b/p"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_pages_are_named_on_a_terminal_alone(capsys, monkeypatch, is_terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    say_page("store", "results", run="first", set=None)
    expected = "more in a browser: stepmill view --root store 'results?run=first'\n"
    assert capsys.readouterr().out == (expected if is_terminal else "")


def test_the_printed_address_is_that_of_the_page_with_the_token_last():
    assert Access("127.0.0.1", 8400).address("run?run=a") == "http://127.0.0.1:8400/run?run=a"
    access = Access("192.0.2.7", 8400, "secret")
    assert access.address("") == "http://192.0.2.7:8400/?token=secret"
    assert access.address("/tree?id=p") == "http://192.0.2.7:8400/tree?id=p&token=secret"
    assert access.address("sql") == "http://192.0.2.7:8400/sql?token=secret"
