"""Airflow's side of many clinics: one DAG per clinic of clinics.yml, and one that sums them all up.

Everything that is decided is decided in `many_clinics`; here is only what needs Airflow. A clinic has a DAG of its own
because in a common one the slowest clinic would hold up the next run of all others, and because only a task that is
not mapped at run time can name its pool. docs/many-clinics.md is the guide.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, BaseOperator, Connection, TaskGroup, Variable, get_parsing_context, task
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
)
from airflow.sdk.log import mask_secret
from airflow.timetables.trigger import CronTriggerTimetable

from many_clinics import clinics as file_of_clinics
from many_clinics import outcome, steps, summary
from many_clinics.commands import COMMANDS, Commands
from many_clinics.meltano_project import MeltanoProject
from many_clinics.references import SecretMissingError, parts
from many_clinics.running import variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

HERE = Path(__file__).resolve().parent
PROJECT = Path(os.environ.get("CLINICS_PROJECT", HERE.parent))
FILE = Path(os.environ.get("CLINICS_FILE", HERE / file_of_clinics.FILE))
BEGIN, REPORT = "begin", "report"
#: Under which keys one task leaves something for the next.
OUTCOME, DUE = "outcome", "due"
_SHORT = timedelta(minutes=15)

CLINICS = file_of_clinics.read(FILE, MeltanoProject.of(PROJECT))


def _from_variable(key: str) -> str | None:
    return Variable.get(key, default=None)


def _from_connection(conn_id: str) -> str | None:
    found = _connection(conn_id)
    return found and found.get_uri()


def _password(conn_id: str) -> str | None:
    found = _connection(conn_id)
    return found and found.password


def _connection(conn_id: str) -> Any:
    try:
        return Connection.get(conn_id)
    except AirflowNotFoundException:
        return None


#: Where secrets may be; Airflow asks its secrets backend for variables and connections first.
LOOKUPS: dict[str, Callable[[str], str | None]] = {
    "env": os.environ.get,
    "variable": _from_variable,
    "connection": _from_connection,
    "connection#password": _password,
}


class ClinicStep(BaseOperator):
    """A step of one clinic; what its exit code means is told to Airflow in Airflow's own words."""

    def __init__(self, *, clinic: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.clinic = clinic
        self._commands: Commands | None = None

    @property
    def step(self) -> str:
        """Return the name of the step, without that of the group."""
        return str(self.task_id).rpartition(".")[2]

    def execute(self, context: Context) -> Any:
        """Run the step; those that are not due were skipped when the run began."""
        if self.step in COMMANDS:
            self._skip_when_spent(context)
        try:
            return self._run(context)
        except SecretMissingError as error:
            self._ended(context, outcome.Outcome(self.step, outcome.SETTINGS, str(error), {}))
            return None

    def on_kill(self) -> None:
        """Have the command end, when somebody stops the task or the worker shuts down."""
        if self._commands:
            self._commands.stop()

    def _run(self, context: Context) -> Any:
        return self._ended(context, self._work().step(self.step))

    def _work(self) -> Commands:
        clinic = next(item for item in CLINICS.clinics if item.name == self.clinic)
        own = variables(clinic, PROJECT, LOOKUPS, os.environ)
        for name in (*clinic.secrets, "TARGET_HIGHLEVEL_LEDGER_URL"):
            for secret in parts(own[name]):
                mask_secret(secret)
        self._commands = Commands(clinic, PROJECT, own, self.log.info)
        return self._commands

    def _skip_when_spent(self, context: Context) -> None:
        before = [_pull(context, self.clinic, step, OUTCOME) for step in COMMANDS if step != self.step]
        if any(item and item["code"] == outcome.SPENT for item in before):
            msg = "waits for the step before it, which goes on when the next day's requests are there"
            raise AirflowSkipException(msg)

    def _ended(self, context: Context, how: outcome.Outcome) -> None:
        """Keep how the step ended for the report, and let Airflow do what is to be done next.

        Raises:
            AirflowFailException: trying again would change nothing.
            AirflowException: Airflow tries again, as often as the file of clinics says.
            AirflowSkipException: the day's requests are spent; a run of the next day goes on.
        """
        context["ti"].xcom_push(key=OUTCOME, value=how.as_dict())
        message = f"{self.step} ended with {how.code}: {how.line}"
        match outcome.what_next(how.code):
            case outcome.Next.GIVE_UP:
                raise AirflowFailException(message)
            case outcome.Next.TRY_AGAIN:
                raise AirflowException(message)
            case outcome.Next.NEXT_DAY:
                raise AirflowSkipException(message)


class Begin(ClinicStep):
    """Asks the clinic's ledger what is due; no worker has to remember anything."""

    def _run(self, context: Context) -> None:
        clinic = next(item for item in CLINICS.clinics if item.name == self.clinic)
        how, runs = self._work().runs()
        self._ended(context, how)
        now = datetime.now(UTC)
        due: tuple[str, ...] = ()
        if until := steps.rests_until(runs, now):
            self.log.info("the day's requests are spent: rests until %s", until)
        else:
            verify_every = timedelta(days=clinic.verify_every_days)
            due = steps.due(runs, now, verify_every=verify_every, needs_approval=clinic.needs_approval)
        # a load over several days has one report of all of them
        began = min((run["started_at"] for run in runs), default="") if steps.LOAD in due else ""
        since = began[:10] or f"{now:%Y-%m-%d}"
        value = {"steps": list(due), "since": since, "checked": steps.checked(runs)}
        context["ti"].xcom_push(key=DUE, value=value)
        raise DownstreamTasksSkipped(tasks=[f"{self.clinic}.{step}" for step in COMMANDS if step not in due])


class Report(ClinicStep):
    """Runs however the steps ended: writes their common report, and tells the summary of all clinics."""

    def _run(self, context: Context) -> None:
        begun = _pull(context, self.clinic, BEGIN, DUE) or {"steps": [BEGIN], "since": ""}
        ended = [_pull(context, self.clinic, step, OUTCOME) for step in (BEGIN, *COMMANDS)]
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        how = summary.report(begun["steps"], ended, now, begun.get("checked", 0))
        context["outlet_events"][_asset(self.clinic)].extra = how
        if steps.VERIFY in begun["steps"] and any(item and item["step"] in COMMANDS for item in ended):
            self._write(begun["since"])

    def _write(self, since: str) -> None:
        """Have the report of all runs written; where it cannot be, the summary still says how the run ended."""
        try:
            self._work().report(since)
        except (Exception, AirflowTaskTimeout):
            self.log.exception("no common report; `target-highlevel:report --since %s` writes it", since)


def _pull(context: Context, clinic: str, step: str, key: str) -> Any:
    return context["ti"].xcom_pull(task_ids=f"{clinic}.{step}", key=key)


def _asset(clinic: str) -> Asset:
    """Return what stands for a clinic in HighLevel; the newest event of it holds how the newest run ended."""
    return Asset(name=f"clinic_{clinic}", uri=f"clinic://{clinic}")


def clinic_dag(clinic: file_of_clinics.Clinic) -> DAG:
    """Return the DAG of one clinic: a group of steps, one after the other, all in the clinic's pool."""
    with (
        DAG(
            dag_id=clinic.dag_id,
            description=f"Brings what changed in Cliniko into HighLevel, for {clinic.name}",
            schedule=CronTriggerTimetable(clinic.schedule, timezone=clinic.timezone),
            start_date=datetime(2026, 1, 1, tzinfo=UTC),
            catchup=False,
            max_active_runs=1,
            tags=["clinics"],
            default_args={
                "pool": CLINICS.pool(clinic),
                "trigger_rule": "none_failed",
                "retries": clinic.retries,
                "retry_delay": timedelta(minutes=clinic.retry_minutes),
                "retry_exponential_backoff": 2.0,
                "execution_timeout": _SHORT,
            },
        ) as dag,
        TaskGroup(clinic.name),
    ):
        before: list[ClinicStep] = [Begin(task_id=BEGIN, clinic=clinic.name)]
        for step in COMMANDS:
            limit = timedelta(hours=clinic.timeout_hours)
            after = ClinicStep(task_id=step, clinic=clinic.name, execution_timeout=limit)
            before >> after  # after all of them: the one just before it may have been skipped
            before.append(after)
        # a teardown runs whatever came before, and leaves it to the steps whether the run has failed
        before >> Report(task_id=REPORT, clinic=clinic.name, outlets=[_asset(clinic.name)]).as_teardown()
    return dag


def summary_dag() -> DAG:
    """Return the DAG that says how all clinics are; it fails when the file of clinics is not as it should be."""
    names = [clinic.name for clinic in CLINICS.clinics]

    @task(inlets=[_asset(name) for name in names])
    def write(*, inlet_events: Any = None) -> dict[str, Any]:
        newest = {
            name: list(inlet_events[_asset(name)].ascending(ascending=False).limit(1)) for name in names
        }
        reports = {name: events[0].extra if events else None for name, events in newest.items()}
        text = summary.table(reports, CLINICS.problems)
        print(text)  # noqa: T201 - what a task prints is its log
        folder = PROJECT / "data" / "clinics"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.joinpath("summary.md").write_text(f"{text}\n", encoding="utf-8")
        if CLINICS.problems:
            msg = f"clinics.yml: {summary.counted(len(CLINICS.problems), 'problem')}; see the log"
            raise AirflowFailException(msg)
        return reports

    with DAG(
        dag_id="clinics_summary",
        description="How all clinics are: what each did last, and who needs somebody",
        schedule=CronTriggerTimetable(CLINICS.summary, timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["clinics"],
    ) as dag:
        write()
    return dag


# A worker that runs one task of one clinic needs that clinic's DAG only.
_wanted = get_parsing_context().dag_id
for _clinic in CLINICS.clinics:
    if _wanted in {None, _clinic.dag_id}:
        globals()[_clinic.dag_id] = clinic_dag(_clinic)
if _wanted in {None, "clinics_summary"}:
    clinics_summary = summary_dag()
