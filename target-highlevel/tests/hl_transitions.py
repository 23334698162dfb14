"""A watch over every ledger in SQLite: a status that is set by no named transition, or by one that does not allow it, raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.transitions import OPTION, TRANSITIONS

if TYPE_CHECKING:
    from target_highlevel.ledger.transitions import Transition

_BY_NAME = {each.name: each for each in TRANSITIONS}
_TRIGGERS = (
    """CREATE TEMP TRIGGER IF NOT EXISTS watch_update BEFORE UPDATE OF status ON main.record
    WHEN NOT may_change(OLD.status, NEW.status) BEGIN SELECT RAISE(ABORT, 'forbidden transition'); END""",
    """CREATE TEMP TRIGGER IF NOT EXISTS watch_insert BEFORE INSERT ON main.record
    WHEN NOT may_change(NULL, NEW.status) BEGIN SELECT RAISE(ABORT, 'forbidden transition'); END""",
)


def watch() -> None:
    """Watch every ledger that this process, or one forked from it, opens from now on."""
    sa.event.listen(sa.Engine, "before_cursor_execute", _note)


def _note(
    connection: sa.Connection, cursor: Any, statement: str, _parameters: Any, context: Any, _many: object
) -> None:
    """Tell the triggers which transition the statement makes; what a test writes by hand is its own affair."""
    if connection.dialect.name != "sqlite" or not statement.startswith(
        ("UPDATE record", "INSERT INTO record")
    ):
        return
    is_ours = getattr(context, "compiled", None) and not isinstance(context.compiled.statement, sa.TextClause)
    allows = _allows(_BY_NAME.get(context.execution_options.get(OPTION))) if is_ours else _anything
    if "allows" not in connection.info:
        connection.info["allows"] = allows
        kept = connection.info
        cursor.connection.create_function("may_change", 2, lambda old, new: kept["allows"](old, new))  # noqa: PLW0108 - the newest each time
    connection.info["allows"] = allows
    for trigger in _TRIGGERS:  # again each time: taken back with the transaction that made them
        cursor.connection.execute(trigger)


def _allows(transition: Transition | None) -> Any:
    def allows(old: str | None, new: str) -> bool:
        return (
            transition is not None
            and new in transition.after
            and (transition.adds if old is None else old in transition.before)
        )

    return allows


def _anything(_old: str | None, _new: str) -> bool:
    return True
