"""Open questions about files and the documents they become."""

from __future__ import annotations

from target_highlevel.assumptions.model import Assumption

FILES = (
    Assumption(
        name="files_over_limit",
        question="What becomes of one file more than a field takes?",
        source="HighLevel's description does not say",
        answers={
            "refused": "A field that takes one file is refused before the first write; of one that takes few, the contact's"
            " files are counted before each upload, and one too many is rejected with `no_room_for_file`.",
            "replaces": "The same: no file may push another one out.",
            "dropped": "The same: no file may be lost in silence.",
        },
        default="refused",
        measured="Two files are uploaded into a field of the probe's own that takes one.",
        alike=True,
    ),
    Assumption(
        name="files_per_field",
        question="How many files may a field be made for?",
        source="HighLevel's description names no highest value",
        answers={
            "unlimited": "The field is made for 1,000 files.",
            "10": "It is made for the first number that HighLevel takes and then widened to the last, if HighLevel lets it be"
            " changed; what is beyond that is rejected and listed. For one file it is not made, and a load stops before its first"
            " record.",
        },
        default="unlimited",
        unit="files",
        unmeasured="A field of many files would have to be made again and again.",
        alike=True,
    ),
    Assumption(
        name="file_lists",
        question="May the list of files in a contact's field be written, to take one off or to put it back?",
        source="The description has values of such a field in answers only",
        answers={
            "writable": "A file that is another patient's now is taken off; a rollback takes files off, or puts one back.",
            "refused": "Such a file is listed with `file_stays` until somebody takes it off; a rollback leaves and lists it.",
            "ignored": "The same, where the answer to the write shows it, or a probe has found it.",
        },
        default="writable",
        measured="The probe's file is taken off the field, and put back.",
    ),
    Assumption(
        name="file_names",
        question="How is the name of a file read back?",
        source="HighLevel's description does not say",
        answers={
            "as_written": "Our marker is read from the name.",
            "simplified": "It is read from the simplified name as well.",
        },
        default="as_written",
        measured="A file with blanks and an umlaut in its name is uploaded and read back.",
        alike=True,
    ),
    Assumption(
        name="document_access",
        question="How can an uploaded file be read?",
        source="HighLevel's description does not say",
        answers={
            "token": "With the sub-account's token.",
            "open": "The same; the plan warns that whoever has the link reads the file.",
            "version": "With the token and a `Version` header.",
            "login": "Files are listed as unreadable by verification; everything else is compared.",
            "other_host": "Without the token, which goes to no other host.",
        },
        default="token",
        measured="A file of the probe's own is read in each way.",
        alike=True,
    ),
)
