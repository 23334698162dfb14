"""Why a record was not written: stable codes, each with what to do. docs/reject-codes.md is made from this table."""

# ruff: noqa: E501 - a sentence of the table stays on its line

from __future__ import annotations

#: The reason of what HighLevel has no part for, or not for this token.
NOT_OFFERED = "not_offered"

#: code -> (what it means, what to do)
REASONS: dict[str, tuple[str, str]] = {
    "mapping_error": ("The record could not be mapped.", "Fix the field named in Cliniko, or the mapping, and run again."),
    "invalid_record": ("The mapped record is malformed.", "Fix the mapper or the tap that made it."),
    "cannot_be_blocked": ("HighLevel blocks no time through its API here.", "Block the practitioner's time in HighLevel by hand, or let the token have calendars/events.write."),
    NOT_OFFERED: ("HighLevel does not offer this part of its API here, or not to this token.", "Make it by hand in HighLevel; or let the token have what the log names, then `retry`."),
    "refused": ("HighLevel refused the record.", "Look at the field named; fix it in Cliniko, then run again."),
    "unknown_property": ("HighLevel does not know a field.", "Check that the field still exists in HighLevel, then `retry`."),
    "invalid_property": ("HighLevel does not accept a value.", "Fix the field named in Cliniko, then run again."),
    "unknown_option": ("A pick-list has no such option.", "Add the option in HighLevel, then `retry`."),
    "duplicate_contact": (
        "HighLevel says the person is there already, but neither the e-mail nor the phone explains it.",
        "Look for the contact in HighLevel; allow duplicates there or change the e-mail or phone, then `retry`.",
    ),
    "address_required": (
        "HighLevel refused a contact with neither an e-mail nor a phone, or whose e-mail and phone other contacts have already.",
        "Allow duplicate contacts in HighLevel, then `retry`; or add an e-mail or a phone at the source, then run again.",
    ),
    "already_exists": ("HighLevel holds a record with the same unique value.", "Compare the two in HighLevel, then `retry`."),
    "deleted_in_highlevel": ("The record was deleted in HighLevel by hand.", "Leave it so; or verify, then `repair`; or restore it there and `retry`."),
    "no_contact": ("The contact it belongs to is not known.", "Load the contact first; the record is then sent by `retry`."),
    "unknown_stage": ("The pipeline has no stage of that name.", "Add a stage named as the appointment type in HighLevel, then `retry`."),
    "no_pipeline": ("The settings name no pipeline any more.", "Set TARGET_HIGHLEVEL_PIPELINE again, then `retry`."),
    "opportunity_there": ("Somebody has given the contact an opportunity in this pipeline.", "Nothing; theirs is kept. To get ours instead, delete it and run `retry`."),
    "relation_end_missing": ("One end of the relation is not in HighLevel.", "See why that record is missing, then `retry`."),
    "relation_limit": (
        "All ten labels are full at 1,000 relations each.",
        "Nothing: the id and the name are kept as text in the record.",
    ),
    "file_too_large": ("The file is larger than the 50 MB HighLevel takes.", "Upload it by hand (the web app takes 250 MB)."),
    "file_type_refused": ("HighLevel does not take files of this type.", "Keep the file elsewhere, or convert it in Cliniko."),
    "no_room_for_file": ("The contact's file field is full.", "Let contact.cliniko_files take more files in HighLevel, then `retry`."),
    "file_missing": ("The tap could not fetch the bytes of the file.", "Run again; if it stays, open the file in Cliniko."),
    "file_unreadable": ("The file's bytes cannot be read on this machine.", "Check attachments_dir and its permissions, then `retry`."),
    "file_stays": (
        "The file is another patient's now, and HighLevel does not let it be taken off the contact it is on.",
        "Delete it from that contact in HighLevel, then `retry`.",
    ),
    "limit_reached": ("A limit of HighLevel is reached.", "Ask HighLevel to raise it, or make room, then `retry`."),
    "not_found": ("What the record refers to is not in HighLevel.", "See whether it was deleted there, then `retry`."),
}  # fmt: skip

#: Codes of HighLevel's own answers that are worth a code of ours; any other refusal is ``refused``.
ANSWERED = frozenset(REASONS) - {"mapping_error", "invalid_record", "refused", NOT_OFFERED}


def reason_for(code: str) -> str:
    """Return the documented reason for the code of a refusal."""
    return code if code in ANSWERED else "refused"
