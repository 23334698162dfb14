"""A database and a role for each clinic, so that no clinic's credentials open another's ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from many_clinics.clinics import Clinic


def sql(clinics: Iterable[Clinic]) -> str:
    r"""Return what an administrator feeds to psql; what is there already stays as it is.

    Passwords are not in it: `\password clinic_north` sets one without its being shown or logged.
    """
    return "\n".join(line for clinic in clinics for line in _of(f"clinic_{clinic.name}")) + "\n"


def _of(name: str) -> tuple[str, ...]:
    role, database = (
        f"SELECT '{create}' WHERE NOT EXISTS (SELECT FROM {table} WHERE {column} = '{name}') \\gexec"  # noqa: S608 - a checked name
        for create, table, column in (
            (f'CREATE ROLE "{name}" LOGIN', "pg_roles", "rolname"),
            (f'CREATE DATABASE "{name}" OWNER "{name}"', "pg_database", "datname"),
        )
    )
    # only a superuser, which a hosted server gives nobody, makes a database for a role without being one of its members
    member = f'GRANT "{name}" TO CURRENT_USER;'
    # by default everybody may connect to every database of a server
    return role, member, database, f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;'
