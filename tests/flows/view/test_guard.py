"""Who may ask the viewer, and that texts of models and statements can do nothing."""

import re
from html.parser import HTMLParser

import pytest

from flows.view.guard import Access
from tests.flows.view.conftest import HOSTILE

PAGES = ("/", "/problems", "/solutions", "/sql", "/run?run=run", "/problem?run=run&id=p0",
         "/solution?run=run&id=hostile", "/solution?run=run&id=t2", "/models", "/model?id=second",
         "/training-set?name=rest-1", "/rounds?run=loop", "/annotations?run=run")  # fmt: skip


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.words += "" if tag in ("abbr", "ins", "del", "strong") else " "

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:8400", "[::1]:8400", "LOCALHOST"])
def test_its_own_addresses_are_answered(viewer, host):
    assert viewer.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8400", "127.0.0.1:80", "127.0.0.1.evil.example:8400",
     "10.0.0.7:8400", "localhost:8400:8400", ""],
)  # fmt: skip
def test_a_name_that_was_made_to_point_here_is_refused(viewer, host):
    answer = viewer.get("/", headers={"host": host})
    assert answer.status_code == 403
    assert "run" not in re.sub("<[^>]*>|`.*`", "", answer.text)


def test_where_others_connect_a_token_is_needed_once(filled, make_viewer):
    access = Access.of("192.0.2.7", 8400)
    viewer = make_viewer(filled, access)
    own = {"host": "192.0.2.7:8400"}
    assert access.token is not None
    assert access.token in access.url
    assert viewer.get("/", headers=own).status_code == 403
    assert viewer.get("/?token=wrong", headers=own).status_code == 403
    opened = viewer.get(f"/run?run=run&token={access.token}", headers=own)
    assert (opened.status_code, opened.headers["location"]) == (303, "/run?run=run")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    kept = {**own, "cookie": cookie.split(";")[0]}
    assert viewer.get("/run?run=run", headers=kept).status_code == 200
    assert viewer.get("/", headers={**kept, "host": "127.0.0.1:8400"}).status_code == 403
    assert viewer.get("/", headers={**own, "cookie": f"{access.cookie}=x"}).status_code == 403


def test_this_machine_alone_needs_no_token():
    assert Access.of("127.0.0.1", 1).token is None
    assert Access.of("::1", 1).token is None
    assert Access.of("0.0.0.0", 1).token != Access.of("0.0.0.0", 1).token


def test_everywhere_is_reached_by_number_and_by_given_names_only():
    access = Access.of("0.0.0.0", 8400, ("Cluster.Example",))
    assert access.knows("10.1.2.3:8400")
    assert access.knows("cluster.example:8400")
    assert not access.knows("evil.example:8400")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_fetches_nothing_but_may_link(viewer, site):
    fetched = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    assert viewer.get("/sql?statement=select+1", headers=fetched).status_code == 403
    followed = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert viewer.get("/", headers=followed).status_code == 200


def test_nothing_is_written_over_http(viewer):
    for method in ("post", "put", "delete", "patch"):
        for page in PAGES:
            assert getattr(viewer.client, method)(page).status_code in (403, 405)


@pytest.mark.parametrize("page", [*PAGES, "/nothing", "/static/view.js", "/static/../app.py"])
def test_every_answer_has_the_headers(viewer, page):
    headers = viewer.get(page).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_no_script_or_style_of_their_own_and_ask_no_other_host(viewer, page):
    for tag, attributes in Tags(viewer.text(page)).tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert tag not in ("style", "iframe", "object", "embed", "base")
        if tag == "script":
            assert attributes["src"] == "/static/view.js"
        for name in ("src", "href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("/", "#", "data:,"))


@pytest.mark.parametrize(
    "page", ["/solutions", "/problem?run=run&id=p0", "/solution?run=run&id=hostile"]
)
def test_a_hostile_answer_is_shown_as_text(viewer, page):
    text = viewer.text(page)
    parsed = Tags(text)
    assert {tag for tag, _ in parsed.tags} & {"img", "b", "strong"} <= {"strong"}
    assert sum(tag == "script" for tag, _ in parsed.tags) == 1
    assert "<script>alert(1)</script>" in parsed.words
    assert "\x1b" not in text
    assert "\u202e" not in text
    if page.startswith("/solution?"):
        assert HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e") in parsed.words


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to 'x.csv'",
        "create table x as select 1",
        "drop view trajectories",
        "attach 'x.db'",
        "set threads = 1",
        "install httpfs",
        "select 1; select 2",
        "with x as (copy (select 1) to 'x') select 1",
        "select * from read_text('/etc/passwd')",
        "select * from glob('/etc/*')",
        "from 'https://example.com/x.csv'",
    ],
)
def test_statements_that_write_or_read_elsewhere_are_refused(viewer, statement):
    viewer.text("/")
    before = sorted(path for path in viewer.store.root.rglob("*"))
    page = Tags(viewer.text("/sql", statement=statement))
    assert ("pre", {"class": "mistake", "role": "alert"}) in page.tags
    assert "table" not in {tag for tag, _ in page.tags}
    assert "root:" not in page.words
    refused = viewer.get("/solutions", params={"where": f"1 in ({statement})"})
    assert refused.status_code == 400
    assert sorted(path for path in viewer.store.root.rglob("*")) == before


@pytest.mark.parametrize(
    "where",
    [
        "true) union all select * from read_csv('/etc/passwd') --",
        "true); drop view problems; --",
        "level = 'x",
        "(select 1 from read_text('/etc/hostname')) = 'x'",
    ],
)
def test_a_filter_is_a_condition_and_nothing_else(viewer, where):
    answer = viewer.get("/solutions", params={"where": where})
    assert answer.status_code == 400
    assert "root:" not in answer.text
