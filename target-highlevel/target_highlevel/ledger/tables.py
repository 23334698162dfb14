"""The tables of the ledger: what each destination record should be, what was written, and every write ever tried."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

#: Every text sorts by its bytes, as in SQLite: by the rules of a language "~" would come before a date, and not after it.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

#: One row per destination record, keyed by sub-account and ref (``<object>:<source id>``).
record = sa.Table(
    "record",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("ref", TEXT, primary_key=True),
    sa.Column("object", TEXT, nullable=False),
    sa.Column("source_id", TEXT, nullable=False),
    sa.Column("resource", TEXT, nullable=False),
    sa.Column("stream", TEXT, nullable=False),
    sa.Column("origin", TEXT, comment="ref of the record that wants this relation"),
    sa.Column("hl_id", TEXT),
    sa.Column("parent_id", TEXT, comment="HighLevel id of the contact that carries it"),
    sa.Column("status", TEXT, nullable=False, comment="ready, held, done, filtered or rejected"),
    sa.Column("reason", TEXT),
    sa.Column("reason_field", TEXT),
    sa.Column("payload", TEXT, comment="wanted content; kept only until it is written"),
    sa.Column("digest", TEXT, comment="hash of the mapped record as last received"),
    sa.Column("written", TEXT, comment="hash of each field as last written"),
    sa.Column(
        "notes",
        TEXT,
        comment="what the report must say of it: withheld fields, conflicts, adoption; what a link links",
    ),
    sa.Column("intent", TEXT, comment="a write that was begun and whose outcome is not known yet"),
    sa.Column("version", sa.Integer, nullable=False, default=0),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("priority", TEXT, nullable=False),
    sa.Column("seen_run", TEXT),
    sa.Column("outcome", TEXT),
    sa.Column("outcome_run", TEXT),
    sa.Column("created_run", TEXT),
    sa.Column(
        "listed",
        TEXT,
        nullable=False,
        default="",
        comment="kinds of things on this contact that are known; * all",
    ),
    sa.Column(
        "money", TEXT, comment="what it comes to, as the source says: amount, and what it is summed by"
    ),
    sa.Column("changes_at", TEXT, comment="from when on it should be another by the clock alone"),
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
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("child", TEXT, primary_key=True),
    sa.Column("parent", TEXT, primary_key=True),
    sa.Index("dependency_parent", "location", "parent"),
)

#: A record that must not exist beside another one: an attendee's row beside its individual appointment.
exclusion = sa.Table(
    "exclusion",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("child", TEXT, primary_key=True),
    sa.Column("other", TEXT, primary_key=True),
    sa.Index("exclusion_other", "location", "other"),
)

#: What other records contribute to a record (or to every record that joins the key).
contribution = sa.Table(
    "contribution",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("target", TEXT, primary_key=True, comment="<object>:<source id or join key>"),
    sa.Column("part", TEXT, primary_key=True),
    sa.Column("fields", TEXT, nullable=False),
    sa.Index("contribution_part", "location", "part"),
)

#: E-mails and phones that contacts want, by a keyed hash, and who of those who share one keeps it.
claim = sa.Table(
    "claim",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("ref", TEXT, primary_key=True),
    sa.Column("field", TEXT, primary_key=True),
    sa.Column("key", TEXT, comment="hash of the address that is wanted; none wants none any more"),
    sa.Column("value", TEXT, comment="the address itself, kept only while several want it"),
    sa.Column("facts", TEXT, nullable=False, comment="what decides: date of birth, archived, reachable"),
    sa.Column("keeper", TEXT, comment="ref of who keeps it instead; none: it is this one's"),
    sa.Column("reason", TEXT, comment="why the keeper comes first"),
    sa.Column("held", TEXT, comment="hash of the address that was written last, as far as it is known"),
    sa.Column("met", TEXT, comment="HighLevel id of a contact that had the address before we came"),
    sa.Index("claim_key", "location", "key"),
)

#: Which records fold which join key.
joined = sa.Table(
    "joined",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("child", TEXT, primary_key=True),
    sa.Column("target", TEXT, primary_key=True),
    sa.Index("joined_target", "location", "target"),
)

#: The values a record had in HighLevel before a run changed them: what rollback restores.
before_image = sa.Table(
    "before_image",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("run", TEXT, primary_key=True),
    sa.Column("ref", TEXT, primary_key=True),
    sa.Column("fields", TEXT, nullable=False),
)

#: One row per run of the target against a sub-account.
run = sa.Table(
    "run",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("location", TEXT, nullable=False),
    sa.Column("mode", TEXT, nullable=False),
    sa.Column(
        "number",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="counts the runs of a sub-account: their order, whatever the clock says",
    ),
    sa.Column("started_at", TEXT, nullable=False),
    sa.Column("ended_at", TEXT),
    sa.Column("exit_code", sa.Integer),
    sa.Column("facts", TEXT, comment="JSON: requests, owners, warnings; no personal data"),
)

#: Append-only, hash-chained trail of every write: names of fields, never their values.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", TEXT, nullable=False),
    sa.Column("location", TEXT, nullable=False),
    sa.Column("run", TEXT, nullable=False),
    sa.Column("event", TEXT, nullable=False, comment="intent or outcome"),
    sa.Column("action", TEXT, nullable=False),
    sa.Column("object", TEXT, nullable=False),
    sa.Column("source_id", TEXT, nullable=False),
    sa.Column("hl_id", TEXT),
    sa.Column("method", TEXT, nullable=False, comment="of entries of earlier versions"),
    sa.Column("api", TEXT, nullable=False, comment="part of HighLevel's API; of earlier versions a route"),
    sa.Column("status", TEXT),
    sa.Column("fields", TEXT, nullable=False),
    sa.Column("prev", TEXT, nullable=False),
    sa.Column("hash", TEXT, nullable=False),
    sa.Index("audit_run", "location", "run"),
)

#: Requests spent per sub-account and hour, so that a restart does not forget the budget.
budget = sa.Table(
    "budget",
    metadata,
    sa.Column("location", TEXT, primary_key=True),
    sa.Column("hour", TEXT, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
)

#: Single values: the salt of the hashes, the approved plan, facts of a sub-account.
fact = sa.Table(
    "fact",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("value", TEXT, nullable=False),
)
