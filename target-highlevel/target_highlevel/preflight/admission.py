"""Whether a load may start: the ledger still has what later loads need, and a person has confirmed the plan where one must.

Facts in the ledger, per sub-account: ``plan:<location>`` is written by plan mode (JSON: digest, run, at, blockers, account),
``approved:<location>`` is the digest of the plan that was confirmed, ``approved_account:<location>`` its Cliniko account,
``purged:<location>`` is the moment at which personal data was removed for good.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from importlib.metadata import EntryPoint

    from target_highlevel.settings import Settings

_MAPPERS = "target_highlevel.mappers"
#: Settings that decide what is written, too, and have not always been part of the digest.
_LATER = ("pipeline", "calendars_open", "unknown_streams")


def mapping_digest(settings: Settings) -> str:
    """Return a digest of all that decides what is written: the mapper, its file, and the settings that change it."""
    chosen = [
        settings.appointments_as,
        settings.calendar_id,
        settings.fallback_owner,
        settings.overwrite,
        dict(settings.locations),
    ]
    return _digest([*_mapped_by(settings), chosen, *_said(_set_of(settings, _LATER))])


def mapper_digest(settings: Settings) -> str:
    """Return a digest of the mapper, its file and the streams that settings describe: others change nothing of what is mapped."""
    return _digest(_mapped_by(settings))


def _mapped_by(settings: Settings) -> list[Any]:
    # a text each: the first of the fields names a custom object's records, so their order counts
    streams = {name: each.model_dump_json(exclude_defaults=True) for name, each in settings.streams.items()}
    return [*_mappers(settings), *_said(streams)]


def _set_of(settings: Settings, names: Iterable[str]) -> dict[str, Any]:
    """Return those of these settings that are not at their default."""
    declared = type(settings).model_fields
    values = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in values.items() if value != declared[name].default}


def _said(more: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a part that digests had not once: where it says nothing, they are as they were, and an upgrade asks for nothing."""
    return [more] if more else []


def _digest(content: Any) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _mappers(settings: Settings) -> list[list[str]]:
    found = list(entry_points(group=_MAPPERS))
    versions = sorted(f"{item.value} {item.dist.version if item.dist else ''}" for item in found)
    return [versions, [mapping_text(item, settings.mapping) for item in found]]


def mapping_text(mapper: EntryPoint, path: str | None) -> str:
    """Return what decides of a mapper's output beside its code: it may have files of its own, which a clinic edits in place.

    Raises:
        SettingsError: a file cannot be read; a mapper says so with a `ValueError`, in its own words.
    """
    told = getattr(mapper.load(), "mapping_text", None)
    try:
        if told is not None:
            return str(told(path))
        return Path(path).read_text(encoding="utf-8") if path else ""
    except OSError as error:
        msg = f"{path}: the mapping cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        msg = f"{path}: the mapping cannot be read (it is not UTF-8)"
    except ValueError as error:
        msg = str(error)
    raise SettingsError(msg)


def remember_plan(
    settings: Settings, run: str, blockers: list[str], *, sample: bool, account: str | None = None
) -> None:
    """Keep what plan mode found, for ``approve`` and for the next load; a plan itself works on a copy of the ledger.

    A preview of a sample takes no place of a plan that can be approved.
    """
    ledger = Ledger(settings.ledger_url, settings.location_id, exclusive=False)
    try:
        kept = newest_plan(ledger)
        if sample and kept and not kept.get("sample") and not kept["blockers"]:
            return
        at = f"{ledger.now():%Y-%m-%dT%H:%M:%SZ}"
        plan = {
            "digest": mapping_digest(settings),
            "run": run,
            "at": at,
            "blockers": blockers,
            "sample": sample,
            "account": account,
        }
        ledger.remember(f"plan:{ledger.location}", canonical_json(plan))
    finally:
        ledger.close()


def newest_plan(ledger: Ledger) -> dict[str, Any] | None:
    """Return what plan mode found last, if it ever ran."""
    text = ledger.fact(f"plan:{ledger.location}")
    return dict(json.loads(text)) if text else None


def approve(ledger: Ledger, settings: Settings, looked_at: str | None = None) -> dict[str, Any]:
    """Confirm the newest plan and return it.

    Args:
        ledger: the ledger of the sub-account.
        settings: what decides now what would be written.
        looked_at: the run that made the plan which is meant, here or in another sub-account; None for whichever is the newest.

    Raises:
        SettingsError: there is none, it is of a sample, it is another one, it has blockers, or the mapping has changed since.
    """
    plan = newest_plan(ledger)
    if plan is None:
        msg = "there is no plan to approve: run `meltano run tap-cliniko target-highlevel-plan` first"
        raise SettingsError(msg)
    if plan.get("sample"):
        msg = (
            f"the plan of {plan['at']} is of a sample: run `meltano run tap-cliniko target-highlevel-plan`,"
            " which looks at everything, then approve"
        )
        raise SettingsError(msg)
    if looked_at is not None and _together(plan["run"]) != _together(looked_at):
        msg = (
            f"the newest plan is not that of run {looked_at}: it is of {plan['at']} (run {plan['run']}); look at it,"
            " then approve it"
        )
        raise SettingsError(msg)
    if plan["blockers"]:
        msg = f"the plan of {plan['at']} has blockers: {'; '.join(plan['blockers'])}; fix them and plan again"
        raise SettingsError(msg)
    if plan["digest"] != mapping_digest(settings):
        msg = f"mapping or settings have changed since the plan of {plan['at']}; plan again, then approve"
        raise SettingsError(msg)
    ledger.remember(f"approved:{ledger.location}", plan["digest"])
    ledger.remember(f"approved_account:{ledger.location}", plan.get("account") or "")
    return plan


def _together(run: str) -> str:
    """Return what the ids of one run's parts in several sub-accounts begin with: when it began."""
    return run.partition("-")[0]


def refuse_unapproved_account(ledger: Ledger, settings: Settings, account: str | None) -> None:
    """Let a load of this Cliniko account start.

    Raises:
        SettingsError: the plan that was approved is of another account.
    """
    approved = ledger.fact(f"approved_account:{ledger.location}")
    if settings.require_approved_plan and approved and account and account != approved:
        msg = (
            f"the approved plan is of Cliniko account {approved}, and the key in TAP_CLINIKO_API_KEY is of account {account}:"
            " plan and approve this one"
        )
        raise SettingsError(msg)


def refuse_unready(ledger: Ledger, settings: Settings) -> None:
    """Let a load start, or say why not.

    Raises:
        SettingsError: the ledger was purged, or the plan of this mapping was not approved.
    """
    purged = ledger.fact(f"purged:{ledger.location}")
    if purged:
        msg = (
            f"this ledger was purged on {purged}: what later loads need is gone. Set TARGET_HIGHLEVEL_LEDGER_URL to a new"
            " ledger and TARGET_HIGHLEVEL_TAKE_OVER=true once, and run with --full-refresh; the crosswalk is rebuilt from"
            " HighLevel, nothing is created twice"
        )
        raise SettingsError(msg)
    if not settings.require_approved_plan:
        return
    if ledger.fact(f"approved:{ledger.location}") != mapping_digest(settings):
        msg = (
            "require_approved_plan is set and the plan of this mapping was not approved: run"
            " `meltano run tap-cliniko target-highlevel-plan`, then `meltano invoke target-highlevel:approve`"
        )
        raise SettingsError(msg)


def unknown_businesses(settings: Settings, places: Collection[str]) -> list[str]:
    """Return, as blockers, the businesses of the setting that Cliniko does not have: theirs would go to the main sub-account.

    Args:
        settings: the target's.
        places: ids of the account's businesses; none where nobody knows them.
    """
    return [
        f"TARGET_HIGHLEVEL_LOCATIONS names business {business}, which the Cliniko account does not have"
        for business in sorted(set(settings.locations).difference(places) if places else ())
    ]


def refuse_unknown_businesses(settings: Settings, places: Collection[str]) -> None:
    """Let a load start that knows these businesses; the tap reads them before anything that is written.

    Raises:
        SettingsError: the setting names another one.
    """
    if blockers := unknown_businesses(settings, places):
        raise SettingsError("; ".join(blockers))
