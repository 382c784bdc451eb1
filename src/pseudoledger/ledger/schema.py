"""The tables of `ledger.db`, as numbered migrations, and the readable views over the book.

`user_version` counts the migrations applied. A newer number than this program knows refuses to open. The
views are for people with sqlite-utils or Datasette; nothing in the program reads them, and `verify` compares
their text with this file. The second script brings the indexes that `query` pages by. The third lays the
things out by the order in which they came: in that of their keys, which are hashes, every block changed as many
pages as it changed things. The fourth and the fifth add the views of the second rule set's things; the fifth also
an index of disputes, which are few, and which no thing of another sort pays for.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

TABLES = """
CREATE TABLE entries (
    idx INTEGER PRIMARY KEY,
    statement BLOB NOT NULL,
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    issuer TEXT NOT NULL
);
CREATE UNIQUE INDEX entries_id ON entries (id);
CREATE TABLE hashes (
    pos INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
);
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    idx INTEGER NOT NULL UNIQUE,
    time_ms INTEGER NOT NULL,
    root BLOB NOT NULL,
    ledger_key TEXT NOT NULL,
    signature BLOB NOT NULL
);
CREATE TABLE things (
    sort TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (sort, key)
) WITHOUT ROWID;
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
"""

_FIRST_COLUMNS: MappingProxyType[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "identities": ("chain", ("label", "keys", "revoked_by", "entry")),
        "pools": ("pool", ("lessor", "number", "lines", "entry")),
        "offers": (
            "offer",
            (
                "lessor",
                "payload.number",
                "payload.facility.country",
                "payload.available.from",
                "payload.available.until",
                "payload.tariff.currency",
                "withdrawn_at",
                "entry",
            ),
        ),
        "demands": (
            "demand",
            ("lessee", "payload.number", "payload.purpose", "payload.length", "closed_at", "entry"),
        ),
        "mandates": ("mandate", ("principal", "broker", "commission_bps", "until", "released_at", "entry")),
        "bids": ("bid", ("on", "bidder", "addressee", "state", "valid_to", "entry")),
        "leases": (
            "lease",
            (
                "number",
                "state",
                "lessor",
                "lessee",
                "currency",
                "start",
                "until",
                "signed_at",
                "ended_at",
                "end_code",
                "entry",
            ),
        ),
        "deliveries": ("delivery", ("lease", "state", "offered_at", "accept_by", "entry")),
        "usage_reports": (
            "usage",
            (
                "lease",
                "line",
                "state",
                "start",
                "until",
                "chip_seconds",
                "downtime_s",
                "accept_by",
                "billed_by",
                "entry",
            ),
        ),
        "invoices": (
            "invoice",
            (
                "number",
                "state",
                "lease",
                "issuer",
                "payer",
                "currency",
                "total_minor",
                "credited_minor",
                "paid_minor",
                "confirmed_minor",
                "due_at",
                "entry",
            ),
        ),
        "payments": (
            "payment",
            ("state", "payer", "payee", "currency", "settles", "references", "declared_at", "entry"),
        ),
    }
)


_SECOND_COLUMNS: MappingProxyType[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "claims": (
            "claim",
            (
                "attestor",
                "subject",
                "payload.number",
                "payload.claim",
                "payload.tier",
                "payload.valid.from",
                "payload.valid.until",
                "revoked_at",
                "entry",
            ),
        ),
        "programmes": (
            "programme",
            (
                "issuer",
                "payload.number",
                "payload.title",
                "payload.currency",
                "payload.budget_minor",
                "vouchers",
                "issued_minor",
                "withdrawn_minor",
                "redeemed_minor",
                "entry",
            ),
        ),
        "vouchers": (
            "voucher",
            (
                "programme",
                "issuer",
                "number",
                "holder",
                "currency",
                "face_minor",
                "reserved_minor",
                "presented_minor",
                "redeemed_minor",
                "withdrawn_minor",
                "start",
                "until",
                "expires_at",
                "revoked_at",
                "entry",
            ),
        ),
        "redemptions": (
            "presentation",
            (
                "voucher",
                "programme",
                "holder",
                "lessor",
                "lease",
                "invoice",
                "currency",
                "state",
                "amount_minor",
                "facility_class",
                "share_bps",
                "redeemed_minor",
                "credited_minor",
                "clawed_back_minor",
                "settled_minor",
                "presented_at",
                "redeemed_at",
                "entry",
            ),
        ),
        "machines": (
            "asset",
            (
                "number",
                "serial",
                "chip",
                "count",
                "owned_by",
                "held_by",
                "country",
                "subdivision",
                "steps",
                "unreceived",
                "entry",
            ),
        ),
        "disputes": (
            "dispute",
            (
                "number",
                "lease",
                "sort",
                "about",
                "reason",
                "by",
                "against",
                "arbiter",
                "state",
                "amount",
                "admitted",
                "awarded",
                "opened_at",
                "answer_by",
                "decide_by",
                "closed_at",
                "entry",
            ),
        ),
    }
)

_THIRD_COLUMNS: MappingProxyType[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "matches": ("match", ("broker", "demand", "offer", "reason", "report", "valid_to", "entry")),
        "stakes": (
            "stake",
            (
                "declarer",
                "holder",
                "number",
                "asset",
                "pool",
                "units",
                "share_bps",
                "start",
                "until",
                "valid_to",
                "accepted_at",
                "entry",
            ),
        ),
        "quotas": (
            "quota",
            (
                "organisation",
                "drawer",
                "number",
                "start",
                "until",
                "currency",
                "limit",
                "drawn",
                "entry",
            ),
        ),
        "draws": ("draw", ("quota", "lease", "drawer", "number", "amount", "drawn_at", "entry")),
    }
)

VIEW_COLUMNS = MappingProxyType({**_FIRST_COLUMNS, **_SECOND_COLUMNS, **_THIRD_COLUMNS})
"""Columns of every view over things, by name: the sort of thing, and the paths into its JSON."""


def _view(name: str, sort: str, columns: tuple[str, ...]) -> str:
    picked = ", ".join(f"json_extract(value, '$.{path}') AS \"{path.split('.')[-1]}\"" for path in columns)
    key = "did" if name == "identities" else "id"
    return f"CREATE VIEW {name} AS SELECT key AS {key}, {picked} FROM things WHERE sort = '{sort}'"


VIEWS = MappingProxyType(
    {
        "statements": (
            "CREATE VIEW statements AS SELECT idx, lower(hex(id)) AS id, type, issuer, length(statement) AS bytes,"
            " (SELECT min(height) FROM blocks WHERE blocks.idx >= entries.idx) AS block FROM entries"
        ),
        **{name: _view(name, sort, columns) for name, (sort, columns) in VIEW_COLUMNS.items()},
    }
)
"""Every view by name, with the text that creates it."""


def picked(name: str) -> str:
    """Return the expression for a member of a thing's JSON by which an index orders; NULL where it is no JSON."""
    return f"CASE WHEN json_valid(value) THEN json_extract(value, '$.{name}') END"


_INDEXES = f"""
CREATE INDEX entries_type ON entries (type);
CREATE INDEX usage_lease ON things ({picked("lease")}) WHERE sort = 'usage';
CREATE INDEX invoices_lease ON things ({picked("lease")}) WHERE sort = 'invoice';
CREATE INDEX invoices_due ON things ({picked("due_at")}) WHERE sort = 'invoice';
"""

_DISPUTES_OF_LEASE = f"""
CREATE INDEX disputes_lease ON things ({picked("lease")}) WHERE sort = 'dispute';
"""

_INDEXES_OF_THINGS = "".join(line + "\n" for line in _INDEXES.splitlines() if " ON things " in line)

_THINGS_IN_ORDER = f"""
CREATE TABLE moved AS SELECT sort, key, value FROM things;
DROP TABLE things;
CREATE TABLE things (
    sort TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (sort, key)
);
INSERT INTO things (sort, key, value) SELECT sort, key, value FROM moved;
DROP TABLE moved;
{_INDEXES_OF_THINGS}"""


def _create(names: Iterable[str]) -> str:
    return ";\n".join(VIEWS[name] for name in names) + ";"


MIGRATIONS: tuple[str, ...] = (
    TABLES + _create(("statements", *_FIRST_COLUMNS)),
    _INDEXES,
    _THINGS_IN_ORDER,
    _create(_SECOND_COLUMNS),
    _create(_THIRD_COLUMNS) + _DISPUTES_OF_LEASE,
)
"""Scripts in order; script n brings `user_version` from n to n + 1. Released scripts never change."""

OLDEST_READ = 1
"""Oldest version that a reader takes as it is: what came after it is indexes, without which lists are slower."""
