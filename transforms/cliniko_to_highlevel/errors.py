"""What can go wrong while mapping: with the clinic's settings, or with one record."""

from __future__ import annotations

from enum import StrEnum


class MappingError(ValueError):
    """The mapping file cannot be used: the text lists what to change."""


class Reason(StrEnum):
    """Why a record cannot be mapped, or its bytes cannot be had. Stable: reports carry these words."""

    MISSING_ID = "missing_id"
    INVALID_ID = "invalid_id"
    INVALID_TEXT = "invalid_text"
    INVALID_NUMBER = "invalid_number"
    INVALID_DATE = "invalid_date"
    INVALID_DATE_TIME = "invalid_date_time"
    INVALID_BOOLEAN = "invalid_boolean"
    INVALID_LIST = "invalid_list"
    INVALID_OBJECT = "invalid_object"
    MAPPING_FAILED = "mapping_failed"
    FILE_TOO_LARGE = "file_too_large"
    FILE_UNAVAILABLE = "file_unavailable"


class Filter(StrEnum):
    """Why a record is left out on purpose."""

    MERGED = "merged"
    DELETED = "deleted_in_cliniko"
    NO_PATIENT = "no_patient"
    NO_PARENT = "no_parent"
    NO_BOOKING = "no_booking"
    NO_USER = "no_user"
    INACTIVE = "inactive"
    SWITCHED_OFF = "type_not_migrated"
    CONFIDENTIAL = "confidential"
    NOT_READY = "not_ready"
    NOT_REQUESTED = "not_requested"
    NOT_COMPLETED = "not_completed"
    ARCHIVED = "archived_left_out"
    HIDDEN = "deleted_left_out"
    NOT_IN_FORCE = "not_in_force"
    TOO_OLD = "too_old"
    ARCHIVED_TYPE = "archived_type"


class RecordError(Exception):
    """One record cannot be mapped: it is rejected with this reason, and the others go on."""

    def __init__(self, reason: Reason, field: str) -> None:
        """Keep the reason and the field's name, never its value."""
        super().__init__(f"{reason.value} in {field}")
        self.reason = reason
        self.field = field
