"""The viewer's application: a route per page, the two static files, and how mistakes are shown."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import duckdb
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from flows.view.annotation import Annotator
from flows.view.guard import Access, Guard
from flows.view.links import path_link
from flows.view.marks import WRITERS, Form, Write, read_form
from flows.view.pages import PAGES, Page
from flows.view.site import NotThere, Site, View, render, static_text
from schemas.errors import StepmillError
from storage.viewing import LiveCatalog, Snapshot, TooSlow

_TYPES = {"view.css": "text/css", "view.js": "text/javascript"}


def make_app(catalog: LiveCatalog, site: Site, access: Access) -> Guard:
    """The application over a store, guarded."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for page in PAGES.values():
        path = path_link(page.name)
        app.add_api_route(path, _endpoint(catalog, site, page), methods=["GET", "HEAD"])

    if site.annotator is not None:
        for name, write in WRITERS.items():
            app.add_api_route(
                f"/{name}", _writer(catalog, site, site.annotator, write), methods=["POST"]
            )

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _TYPES:
            raise HTTPException(404)
        return Response(static_text(name), media_type=_TYPES[name])

    @app.exception_handler(HTTPException)
    def refuse(request: Request, error: HTTPException) -> Response:
        words = "there is no such page" if error.status_code == 404 else str(error.detail)
        return _page_of_error(site, words, error.status_code)

    return Guard(app, access)


def make_page(page: Page, view: View, link: Callable[..., str | None]) -> str:
    """A page of HTML about the store."""
    context: Mapping[str, Any] = page.build(view)
    skipped = view.snapshot.cached("skipped", lambda: view.snapshot.ask("skipped_files"))
    return render(
        page.template,
        link,
        view.site,
        page=page.name,
        skipped=skipped,
        opened_at=view.snapshot.opened_at,
        **context,
    )


def _endpoint(catalog: LiveCatalog, site: Site, page: Page) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        query = dict(request.query_params)

        def make(snapshot: Snapshot) -> str:
            return make_page(page, View(site, snapshot, query), path_link)

        try:
            return HTMLResponse(catalog.answer(make, is_first=page.is_first))
        except NotThere as error:
            return _page_of_error(site, str(error), 404)
        except TooSlow as error:
            return _page_of_error(site, str(error), 503)
        except (ValueError, StepmillError) as error:
            return _page_of_error(site, str(error), 400)
        except duckdb.Error as error:
            return _page_of_error(site, str(error), 400)

    answer.__name__ = page.name.replace("-", "_")
    return answer


def _writer(
    catalog: LiveCatalog, site: Site, annotator: Annotator, write: Write
) -> Callable[[Request], Awaitable[Response]]:
    def answer(form: Form) -> Response:
        try:
            if not annotator.may_write(form.get("token")):
                raise HTTPException(403, "the form is of another viewer: open the page again")
            catalog.answer(lambda snapshot: write(snapshot, form, annotator.name))
        except NotThere as error:
            return _page_of_error(site, str(error), 404)
        except (ValueError, StepmillError, duckdb.Error) as error:
            return _page_of_error(site, str(error), 400)
        catalog.look()
        query = {"run": form.get("run"), "id": form.get("id")}
        return RedirectResponse(f"{path_link('solution', **query)}#steps", 303)

    async def take(request: Request) -> Response:
        return await run_in_threadpool(answer, await read_form(request))

    return take


def make_error(site: Site, words: str, link: Callable[..., str | None]) -> str:
    """A page of HTML that says why another one is not shown."""
    return render("error.html", link, site, page="", skipped=[], opened_at=None, words=words)


def _page_of_error(site: Site, words: str, status: int) -> Response:
    return HTMLResponse(make_error(site, words, path_link), status)
