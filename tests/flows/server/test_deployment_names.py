"""Two stores that are served on one server have deployments and workers of their own."""

from pathlib import Path

import yaml

from flows.commands.serve import DEPLOYMENTS
from flows.server.deployment_names import ServedNames, names_beside, renamed


def test_the_first_store_has_the_plain_names_and_keeps_them():
    assert names_beside("/a", []) == ServedNames("", "/a")
    assert names_beside("/a", ["/a", "/a"]).pool == "stepmill"
    assert names_beside("/a", [None]).suffix == ""


def test_another_store_gets_names_and_a_pool_of_its_own():
    second, third = (names_beside(root, ["/a", "/a"]) for root in ("/b", "/c"))
    assert (second.owner, third.owner) == ("/a", "/a")
    assert len({"", second.suffix, third.suffix}) == 3
    assert second == names_beside("/b", ["/a"])
    assert second.pool == f"stepmill{second.suffix}"


def test_every_deployment_is_renamed_and_nothing_else_changes():
    plain = yaml.safe_load(DEPLOYMENTS.read_text())
    with renamed(DEPLOYMENTS, ServedNames("-1a", "/a")) as place:
        plan = yaml.safe_load(place.read_text())
    assert not place.exists()
    assert len(plan["deployments"]) == len(plain["deployments"])
    for before, after in zip(plain["deployments"], plan["deployments"], strict=True):
        expected = {"name": f"{before['name']}-1a", "work_pool": {"name": "stepmill-1a"}}
        assert after == {**before, **expected}


def test_plain_names_use_the_file_itself():
    with renamed(Path("any.yaml"), ServedNames("", "/a")) as place:
        assert place == Path("any.yaml")
