"""The web application: routes, and what is the same on every page."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from migration_console import pages
from migration_console.commands import COMMANDS
from migration_console.decisions import DECISIONS, decide, sign, signer
from migration_console.formats import FILTERS, number
from migration_console.jobs import Busy
from migration_console.mapping_file import WrongChoiceError
from migration_console.open_questions import needs_decision
from migration_console.reports import FILES
from migration_console.requests import Options, Refused
from migration_console.security import (
    CSRF_FIELD,
    IDLE_SECONDS,
    LOCKED,
    GuardMiddleware,
    entered,
    is_inside,
    locked_page,
    session_of,
)
from migration_console.steps import STEPS, current, following

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from starlette.requests import Request

    from migration_console.console import Clinic
    from migration_console.jobs import Job
    from migration_console.security import Guard

_HERE = Path(__file__).parent
#: What the address of a page may say of it.
_SHOWN = ("show", "page", "family")
_EVERY_SECONDS = 1.0
#: A browser keeps at most six connections to a console, and a page that listens has one of them for as long as it is open.
_MOST_LISTENING = 3
#: For pages without a script: none is shown for longer than a session may be idle.
_LEAVE = {"Refresh": f"{IDLE_SECONDS + 5}; url={LOCKED}"}
#: A report is a page of its own with its styles inside, and without any script.
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
_TITLES = {key: title for key, title, _ in STEPS}


class Console:
    """The application's pages, for one clinic or for many."""

    def __init__(self, clinics: Mapping[str, Clinic], guard: Guard, problems: Sequence[str] = ()) -> None:
        """Serve these clinics to whoever passes the guard; the problems are of those that are left out."""
        self._clinics = clinics
        self._problems = problems
        self._guard = guard
        self._said: dict[str, str] = {}  # what a form has done, until the next page says so, by session
        self._listening: Counter[str] = Counter()  # pages that have a connection for themselves, by session
        self._templates = Environment(
            loader=PackageLoader("migration_console"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.tests["needing_decision"] = needs_decision

    def application(self) -> Starlette:
        """Return the ASGI application."""
        routes = [
            Mount("/static", StaticFiles(directory=_HERE / "static")),
            Route("/", self._home),
            Route("/lock", self._lock, methods=["POST"]),
            Route(LOCKED, self._unlock, methods=["POST"]),
            Route("/{clinic}/events", self._events),
            Route("/{clinic}/start/{command}", self._start, methods=["POST"]),
            Route("/{clinic}/stop/{job}", self._stop, methods=["POST"]),
            Route("/{clinic}/jobs/{job}", self._job),
            Route("/{clinic}/decide/{part}", self._decide, methods=["POST"]),
            Route("/{clinic}/sign", self._sign, methods=["POST"]),
            Route("/{clinic}/preview", self._preview, methods=["POST"]),
            Route("/{clinic}/reports/{run}/{file}", self._report),
            Route("/{clinic}/{page}", self._page),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(GuardMiddleware, guard=self._guard)],
            exception_handlers={
                HTTPException: self._error,
                Refused: self._refused,
                OSError: self._no_room,
            },
        )

    def _clinic(self, request: Request) -> Clinic:
        clinic = self._clinics.get(request.path_params["clinic"])
        if clinic is None:
            raise HTTPException(404, "There is no such clinic.")
        return clinic

    def _render(self, request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        session = session_of(request)
        page = self._templates.get_template(template).render(
            csrf=self._guard.csrf(session),
            many=self._has_list,
            idle_seconds=IDLE_SECONDS,
            **context,
        )
        return HTMLResponse(page, status_code=status)

    def _frame(self, clinic: Clinic, key: str) -> dict[str, Any]:
        """Return what surrounds every page of a clinic."""
        # before anything that a page shows of either: a form must not name a version newer than what it was filled from
        versions = {
            "mapping_version": clinic.mapping.version,
            "signatures_version": clinic.signatures.version,
        }
        found = clinic.steps()
        way = following(found, key)
        jobs = clinic.jobs.all()
        running = [job for job in jobs if job.is_running]
        live = clinic.watcher.look(_loading(running))
        return {
            **versions,
            "clinic": clinic,
            "steps": found,
            "step": next((step for step in found if step.key == key), None),
            "way": way,
            "jobs": jobs,
            "running": running,
            "live": live,
            "requests_left": clinic.requests_left(live),
            "budget": clinic.requests_per_day,
            "commands": COMMANDS,
            "writing": next((job for job in running if job.command.writes), None),
        }

    @property
    def _has_list(self) -> bool:
        """Return whether the first page lists clinics: several, or one and what is wrong with others."""
        return len(self._clinics) > 1 or bool(self._problems)

    async def _home(self, request: Request) -> Response:
        if not self._has_list:
            (clinic,) = self._clinics.values()
            step = current(await run_in_threadpool(clinic.steps))
            return RedirectResponse(f"/{clinic.name}/{step.key}", status_code=303)
        rows = await run_in_threadpool(pages.clinics, list(self._clinics.values()))
        page = self._render(request, "clinics.html.j2", rows=rows, problems=self._problems)
        page.headers.update(_LEAVE)
        return page

    async def _page(self, request: Request) -> Response:
        clinic, key = self._clinic(request), request.path_params["page"]
        if key not in _TITLES:
            raise HTTPException(404, "There is no such page.")
        frame = await run_in_threadpool(self._frame, clinic, key)
        page = pages.PAGES[key]
        said = self._said.pop(session_of(request), "")
        content = await run_in_threadpool(page, clinic, dict(request.query_params))
        return self._render(request, f"{key}.html.j2", said=said, **frame, **content)

    async def _form(self, request: Request) -> dict[str, str]:
        """Return a form's fields.

        Raises:
            Refused: it was not sent by a page of this session.
        """
        async with request.form(max_files=0) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if not self._guard.is_csrf(session_of(request), fields.pop(CSRF_FIELD, "")):
            raise Refused(403, "This form is out of date. Go back, reload the page and try again.")
        return fields

    async def _start(self, request: Request) -> Response:
        clinic, key = self._clinic(request), request.path_params["command"]
        fields = await self._form(request)
        command = COMMANDS.get(key)
        if command is None:
            raise HTTPException(404, "There is no such command.")
        options = Options.of(command, fields, clinic)
        if key == "approve":
            signer(fields)
        start = partial(clinic.jobs.start, command, options=options.arguments, variables=options.variables)
        try:
            await run_in_threadpool(start)
        except Busy:
            raise Refused(409, "Another job is writing. Wait until it has ended.") from None
        if key == "approve":
            await run_in_threadpool(sign, clinic, fields)
        return self._back(clinic, fields)

    async def _stop(self, request: Request) -> Response:
        clinic = self._clinic(request)
        fields = await self._form(request)
        job = clinic.jobs.find(request.path_params["job"])
        if job is None:
            raise HTTPException(404, "There is no such job.")
        await run_in_threadpool(clinic.jobs.stop, job)
        return self._back(clinic, fields)

    async def _lock(self, request: Request) -> Response:
        await self._form(request)
        self._guard.close(session_of(request))
        self._said.pop(session_of(request), None)
        answer = RedirectResponse(LOCKED, status_code=303)
        answer.delete_cookie(self._guard.cookie, path="/")
        return answer

    async def _unlock(self, request: Request) -> Response:
        async with request.form(max_files=0) as form:
            told = str(form.get("token", "")).strip()
        answer = entered(self._guard, told.rpartition("token=")[2])
        return answer or locked_page(
            401, "This is not the token of this start of the console: use the newest link."
        )

    async def _decide(self, request: Request) -> Response:
        clinic, part = self._clinic(request), request.path_params["part"]
        if part not in DECISIONS:
            raise HTTPException(404, "There is nothing of the kind to decide.")
        fields = await self._form(request)
        try:
            said = await run_in_threadpool(decide, clinic, part, fields)
        except WrongChoiceError as error:
            raise Refused(400, str(error)) from None
        self._said[session_of(request)] = said
        return self._back(clinic, fields)

    async def _sign(self, request: Request) -> Response:
        clinic = self._clinic(request)
        fields = await self._form(request)
        self._said[session_of(request)] = await run_in_threadpool(sign, clinic, fields)
        return self._back(clinic, fields)

    async def _preview(self, request: Request) -> Response:
        """Show one patient of a sample on both sides: asked for by a form, so that no address and no history leads to it."""
        clinic = self._clinic(request)
        fields = await self._form(request)
        frame = await run_in_threadpool(self._frame, clinic, "sample")
        content = await run_in_threadpool(pages.preview, clinic, fields)
        return self._render(request, "preview.html.j2", said="", **frame, **content)

    def _back(self, clinic: Clinic, fields: Mapping[str, str]) -> Response:
        """Return to the page that a form stood on, and to the part of a long table that it showed."""
        key = fields.get("next", "")
        shown = urlencode({name: fields[name] for name in _SHOWN if fields.get(name)})
        page = f"/{clinic.name}/{key if key in _TITLES else 'runs'}"
        return RedirectResponse(f"{page}?{shown}" if shown else page, status_code=303)

    async def _job(self, request: Request) -> Response:
        clinic = self._clinic(request)
        job = clinic.jobs.find(request.path_params["job"])
        if job is None:
            raise HTTPException(404, "There is no such job.")
        return PlainTextResponse(await run_in_threadpool(job.output), headers=_LEAVE)

    async def _report(self, request: Request) -> Response:
        clinic = self._clinic(request)
        report = clinic.reports.open(request.path_params["run"])
        name = request.path_params["file"]
        if report is None or name not in FILES or not (report.folder / name).is_file():
            raise HTTPException(404, "There is no such report.")
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        if name.endswith(".html"):
            headers |= _LEAVE
        else:
            headers["Content-Disposition"] = f'attachment; filename="{report.id}-{name}"'
        return FileResponse(report.folder / name, media_type=FILES[name], headers=headers)

    async def _events(self, request: Request) -> Response:
        return EventSourceResponse(self._moments(self._clinic(request), session_of(request)))

    async def _moments(self, clinic: Clinic, session: str) -> AsyncIterator[dict[str, str | int]]:
        """Say once a second how far the running job is; a page left open does not keep the session open.

        Where many pages of a browser listen, the later ones are told once and ask again: else no other page would open.
        """
        stays = self._listening[session] < _MOST_LISTENING
        self._listening[session] += stays
        try:
            while self._guard.is_open(session, touch=False):
                moment = await run_in_threadpool(self._moment, clinic)
                yield {"event": "moment", "data": json.dumps(moment), "retry": round(_EVERY_SECONDS * 1000)}
                if not stays:
                    return
                await asyncio.sleep(_EVERY_SECONDS)
            yield {"event": "locked", "data": LOCKED}
        finally:
            self._listening[session] -= stays

    def _moment(self, clinic: Clinic) -> dict[str, Any]:
        running = clinic.jobs.running()
        live = clinic.watcher.look(_loading(running))
        progress = self._templates.get_template("progress.html.j2")
        return {
            "running": " ".join(job.id for job in running),
            "requests_left": number(clinic.requests_left(live)),
            "progress": progress.render(live=live, budget=clinic.requests_per_day),
        }

    async def _error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
        return self._refusal(request, error.status_code, error.detail)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)  # noqa: S101 - registered for this type
        return self._refusal(request, error.status, error.sentence)

    async def _no_room(self, request: Request, error: Exception) -> Response:
        """Say what the machine refuses: a full disk, a folder that was closed to this user."""
        assert isinstance(error, OSError)  # noqa: S101 - registered for this type
        where = error.filename or "the folder of what the console keeps"
        what = error.strerror or type(error).__name__
        sentence = f"{where} could not be used ({what}): make room on the disk, or give this user the right, then try again."
        return self._refusal(request, 500, f"{sentence} Running jobs continue.")

    def _refusal(self, request: Request, status: int, sentence: str) -> Response:
        if not is_inside(request):
            return PlainTextResponse(sentence, status)
        clinic = request.path_params.get("clinic", "")
        # the page on which a form was refused shows what is there now
        page = urlsplit(request.headers.get("referer", "")).path.rpartition("/")[2]
        back = f"/{clinic}/{page if page in _TITLES else 'runs'}" if clinic in self._clinics else "/"
        return self._render(request, "refused.html.j2", status, sentence=sentence, back=back)


def _loading(running: Sequence[Job]) -> Job | None:
    """Return the job whose progress is shown: the one that writes, before one that only reads."""
    return next((job for job in running if job.command.writes), next(iter(running), None))
