"""The tables of the ledger: what each destination record should be, what was written, and every write ever tried."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

#: One row per destination record, keyed by sub-account and ref (``<object>:<source id>``).
record = sa.Table(
    "record",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("ref", sa.String, primary_key=True),
    sa.Column("object", sa.String, nullable=False),
    sa.Column("source_id", sa.String, nullable=False),
    sa.Column("resource", sa.String, nullable=False),
    sa.Column("stream", sa.String, nullable=False),
    sa.Column("origin", sa.String, comment="ref of the record that wants this relation"),
    sa.Column("hl_id", sa.String),
    sa.Column("parent_id", sa.String, comment="HighLevel id of the contact that carries it"),
    sa.Column("status", sa.String, nullable=False, comment="ready, held, done, filtered or rejected"),
    sa.Column("reason", sa.String),
    sa.Column("reason_field", sa.String),
    sa.Column("payload", sa.Text, comment="wanted content; kept only until it is written"),
    sa.Column("digest", sa.String, comment="hash of the mapped record as last received"),
    sa.Column("written", sa.Text, comment="hash of each field as last written"),
    sa.Column(
        "notes",
        sa.Text,
        comment="what the report must say of it: withheld fields, conflicts, adoption; what a link links",
    ),
    sa.Column("intent", sa.Text, comment="a write that was begun and whose outcome is not known yet"),
    sa.Column("version", sa.Integer, nullable=False, default=0),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("priority", sa.String, nullable=False),
    sa.Column("seen_run", sa.String),
    sa.Column("outcome", sa.String),
    sa.Column("outcome_run", sa.String),
    sa.Column("created_run", sa.String),
    sa.Column(
        "listed",
        sa.String,
        nullable=False,
        default="",
        comment="kinds of things on this contact that are known; * all",
    ),
    sa.Column(
        "money", sa.Text, comment="what it comes to, as the source says: amount, and what it is summed by"
    ),
    sa.Column("changes_at", sa.String, comment="from when on it should be another by the clock alone"),
    sa.Index("record_work", "location", "status", "rank", "priority", "seq"),
    sa.Index("record_seq", "location", "status", "seq"),
    sa.Index("record_id", "location", "object", "hl_id"),
    sa.Index("record_origin", "location", "origin"),
    sa.Index("record_clock", "location", "changes_at"),
)

#: A held record and what it waits for: the ref of a record, or ``join:<object>:<key>``.
dependency = sa.Table(
    "dependency",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("child", sa.String, primary_key=True),
    sa.Column("parent", sa.String, primary_key=True),
    sa.Index("dependency_parent", "location", "parent"),
)

#: A record that must not exist beside another one: an attendee's row beside its individual appointment.
exclusion = sa.Table(
    "exclusion",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("child", sa.String, primary_key=True),
    sa.Column("other", sa.String, primary_key=True),
    sa.Index("exclusion_other", "location", "other"),
)

#: What other records contribute to a record (or to every record that joins the key).
contribution = sa.Table(
    "contribution",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("target", sa.String, primary_key=True, comment="<object>:<source id or join key>"),
    sa.Column("part", sa.String, primary_key=True),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Index("contribution_part", "location", "part"),
)

#: E-mails and phones that contacts want, by a keyed hash, and who of those who share one keeps it.
claim = sa.Table(
    "claim",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("ref", sa.String, primary_key=True),
    sa.Column("field", sa.String, primary_key=True),
    sa.Column("key", sa.String, comment="hash of the address that is wanted; none wants none any more"),
    sa.Column("value", sa.String, comment="the address itself, kept only while several want it"),
    sa.Column("facts", sa.Text, nullable=False, comment="what decides: date of birth, archived, reachable"),
    sa.Column("keeper", sa.String, comment="ref of who keeps it instead; none: it is this one's"),
    sa.Column("reason", sa.String, comment="why the keeper comes first"),
    sa.Column("held", sa.String, comment="hash of the address that was written last, as far as it is known"),
    sa.Column("met", sa.String, comment="HighLevel id of a contact that had the address before we came"),
    sa.Index("claim_key", "location", "key"),
)

#: Which records fold which join key.
joined = sa.Table(
    "joined",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("child", sa.String, primary_key=True),
    sa.Column("target", sa.String, primary_key=True),
    sa.Index("joined_target", "location", "target"),
)

#: The values a record had in HighLevel before a run changed them: what rollback restores.
before_image = sa.Table(
    "before_image",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("ref", sa.String, primary_key=True),
    sa.Column("fields", sa.Text, nullable=False),
)

#: One row per run of the target against a sub-account.
run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("location", sa.String, nullable=False),
    sa.Column("mode", sa.String, nullable=False),
    sa.Column(
        "number",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="counts the runs of a sub-account: their order, whatever the clock says",
    ),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("ended_at", sa.String),
    sa.Column("exit_code", sa.Integer),
    sa.Column("facts", sa.Text, comment="JSON: requests, owners, warnings; no personal data"),
)

#: Append-only, hash-chained trail of every write: names of fields, never their values.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("location", sa.String, nullable=False),
    sa.Column("run", sa.String, nullable=False),
    sa.Column("event", sa.String, nullable=False, comment="intent or outcome"),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("object", sa.String, nullable=False),
    sa.Column("source_id", sa.String, nullable=False),
    sa.Column("hl_id", sa.String),
    sa.Column("method", sa.String, nullable=False, comment="of entries of earlier versions"),
    sa.Column(
        "api", sa.String, nullable=False, comment="part of HighLevel's API; of earlier versions a route"
    ),
    sa.Column("status", sa.String),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("prev", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
)

#: Requests spent per sub-account and hour, so that a restart does not forget the budget.
budget = sa.Table(
    "budget",
    metadata,
    sa.Column("location", sa.String, primary_key=True),
    sa.Column("hour", sa.String, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
)

#: Single values: the salt of the hashes, the approved plan, facts of a sub-account.
fact = sa.Table(
    "fact",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
