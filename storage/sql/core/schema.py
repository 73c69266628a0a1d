"""The tables. Alembic compares the database with them; the migrations in `alembic/versions` make them.

Times are whole seconds since the epoch, UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.sql.core.column_types import digest, long_text, row_id, searched, word
from storage.sql.core.table_options import IDS_ONCE, only_where

__all__ = [
    "account_credentials",
    "activity",
    "api_key_uses",
    "api_keys",
    "audit_log",
    "authorizations",
    "call_failures",
    "call_outcomes",
    "event_deliveries",
    "instances",
    "jobs",
    "metadata",
    "operator_identities",
    "operator_passkeys",
    "operator_recovery_codes",
    "operator_sessions",
    "operator_totp",
    "operators",
    "session_ends",
    "sign_in_attempts",
    "spent_challenges",
    "user_history",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

authorizations = Table(
    "authorizations",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("appid", word(64), nullable=False),
    Column("openid", searched(128), nullable=False),
    Column("unionid", searched(128)),
    Column("scope", word(255), nullable=False),
    Column("is_snapshotuser", Boolean, nullable=False),
    # Sealed. WeChat gives no maximum for a token; the narrowest type here, MySQL's BLOB, holds 65,535 bytes.
    Column("access_token", LargeBinary, nullable=False),
    Column("refresh_token", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("refresh_expires_at", BigInteger, nullable=False),
    Column("status", word(32), nullable=False, server_default="active"),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("lease_owner", word(128)),
    Column("lease_until", BigInteger),
    Column("next_refresh_at", BigInteger),
    # The code last exchanged, as a digest, and what it gave, which may be less than what the authorization holds.
    Column("code_digest", digest()),
    Column("code_binding", digest()),
    Column("code_scope", word(255), nullable=False),
    Column("code_unionid", word(128)),
    Column("code_is_snapshotuser", Boolean),
    Column("first_authorized_at", BigInteger, nullable=False),
    Column("authorized_at", BigInteger, nullable=False),
    Column("refreshed_at", BigInteger),
    Column("last_used_at", BigInteger, nullable=False),
    Column("refresh_failures", Integer, nullable=False, server_default=text("0")),
    Column("last_error_code", BigInteger),
    Column("last_error_kind", word(64)),
    Column("last_error_at", BigInteger),
    Column("nickname", searched(255, exact=False)),
    Column("avatar_url", String(2048)),
    Column("profile_at", BigInteger),
    # By what a backend knows the user; NULL for most.
    Column("external_id", searched(128)),
    # A newer, narrower grant that is held beside a wide one; NULL, all of it, for most users.
    Column("fallback_scope", word(255)),
    Column("fallback_access_token", LargeBinary),
    Column("fallback_refresh_token", LargeBinary),
    Column("fallback_expires_at", BigInteger),
    Column("fallback_refresh_expires_at", BigInteger),
    Column("fallback_unionid", word(128)),
    Column("fallback_is_snapshotuser", Boolean),
    PrimaryKeyConstraint("id"),
    # The openid comes first so that a search by openid alone finds its way, too.
    UniqueConstraint("openid", "appid"),
    # Only who has one is in the partial indexes; MySQL, which has no such thing, indexes everybody.
    Index(None, "appid", "next_refresh_at", "id", info=only_where("next_refresh_at IS NOT NULL")),
    Index(None, "code_digest"),
    Index(None, "unionid", info=only_where("unionid IS NOT NULL")),
    Index(None, "authorized_at", "id"),
    Index(None, "appid", "authorized_at", "id"),
    Index(None, "appid", "id"),
    # What lists are filtered, searched and sorted by. Most users are in none of the last three.
    Index(None, "scope", "id"),
    Index(None, "nickname", "id", info=only_where("nickname IS NOT NULL")),
    Index(None, "last_used_at", "id"),
    Index(None, "refresh_expires_at", "id"),
    # PostgreSQL compares the account and the scope within it: a filter by them reads no rows that do not match.
    Index(
        None,
        "status",
        "id",
        "appid",
        "scope",
        info=only_where("status != 'active'"),
    ),
    Index(None, "external_id", "id", info=only_where("external_id IS NOT NULL")),
    Index(
        None,
        "last_error_code",
        "id",
        info=only_where("last_error_code IS NOT NULL"),
    ),
    Index(
        None,
        "is_snapshotuser",
        "id",
        info=only_where("is_snapshotuser", sqlite="is_snapshotuser = 1"),
    ),
    # An id given to a second user after an erasure would let a late outcome of the first one reach it.
    info=IDS_ONCE,
)

activity = Table(
    "activity",
    metadata,
    Column("hour", BigInteger, autoincrement=False, nullable=False),
    Column("appid", word(64), nullable=False),
    Column("kind", word(32), nullable=False),
    Column("errcode", BigInteger, autoincrement=False, nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("hour", "appid", "kind", "errcode"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("name", word(64), nullable=False),
    Column("key_hash", digest(), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    # What the key is good for: words separated by commas; NULL is every account, and the one right that there was.
    Column("appids", Text),
    Column("rights", word(255)),
    Column("expires_at", BigInteger),
    Column("per_minute", Integer),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    UniqueConstraint("key_hash"),
    info=IDS_ONCE,
)

api_key_uses = Table(
    "api_key_uses",
    metadata,
    Column("day", BigInteger, autoincrement=False, nullable=False),
    Column("name", word(64), nullable=False),
    Column("appid", word(64), nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "name", "appid"),
)

operators = Table(
    "operators",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("name", word(64), nullable=False),
    # As argon2 writes it: the parameters and the salt stand beside the hash.
    Column("password_hash", word(255), nullable=False),
    Column("role", word(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("password_changed_at", BigInteger, nullable=False),
    Column("last_signed_in_at", BigInteger),
    Column("disabled_at", BigInteger),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
    info=IDS_ONCE,
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("token_hash", digest(), nullable=False),
    Column("operator_id", BigInteger, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("address", word(64), nullable=False),
    Column("user_agent", String(255), nullable=False),
    # Whether it may do no more than set up a second factor.
    Column("lacks_factor", Boolean),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("token_hash"),
    Index(None, "operator_id"),
    info=IDS_ONCE,
)

operator_identities = Table(
    "operator_identities",
    metadata,
    # Together they are one person for ever (OpenID Connect Core 1.0, 5.7); a name or an email address is not.
    Column("issuer", word(255), nullable=False),
    Column("subject", word(255), nullable=False),
    Column("operator_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("issuer", "subject"),
    UniqueConstraint("operator_id"),
)

operator_totp = Table(
    "operator_totp",
    metadata,
    Column("operator_id", BigInteger, autoincrement=False, nullable=False),
    # Sealed.
    Column("secret", LargeBinary, nullable=False),
    # NULL until the operator has shown a code of it.
    Column("set_up_at", BigInteger),
    # The step of the last code that was taken: codes of it and of those before are taken no more.
    Column("last_step", BigInteger, nullable=False),
    PrimaryKeyConstraint("operator_id"),
)

operator_passkeys = Table(
    "operator_passkeys",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("operator_id", BigInteger, nullable=False),
    # Of the credential's id, which may have 1,023 bytes.
    Column("digest", digest(), nullable=False),
    # Attested credential data: the id and the public key (WebAuthn Level 2, 6.5.1).
    Column("credential", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("digest"),
    Index(None, "operator_id"),
    info=IDS_ONCE,
)

operator_recovery_codes = Table(
    "operator_recovery_codes",
    metadata,
    Column("operator_id", BigInteger, autoincrement=False, nullable=False),
    Column("code_hash", digest(), nullable=False),
    PrimaryKeyConstraint("operator_id", "code_hash"),
)

spent_challenges = Table(
    "spent_challenges",
    metadata,
    Column("digest", digest(), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("digest"),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("subject", word(96), nullable=False),
    Column("window_at", BigInteger, autoincrement=False, nullable=False),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("subject", "window_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("at", BigInteger, nullable=False),
    # Names, not references: an entry says what was true when it was written.
    Column("operator", word(64), nullable=False),
    Column("action", word(32), nullable=False),
    Column("result", word(16), nullable=False),
    Column("appid", word(64), nullable=False),
    Column("openid", word(128), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("address", word(64), nullable=False),
    Column("user_agent", String(255), nullable=False),
    Column("request_id", word(32), nullable=False),
    Column("details", Text, nullable=False),
    PrimaryKeyConstraint("id"),
    Index(None, "at", "id"),
    Index(None, "operator", "at", "id"),
    Index(None, "action", "at", "id"),
    Index(None, "result", "at", "id"),
    Index(None, "openid", "appid", "at", "id"),
    info=IDS_ONCE,
)

#: Work on many users that goes on in the background. `target`, `position`, `results` and `user_results`
#: are JSON.
jobs = Table(
    "jobs",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("action", word(32), nullable=False),
    Column("status", word(16), nullable=False),
    Column("target", long_text(), nullable=False),
    Column("operator", word(64), nullable=False),
    Column("request_id", word(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    # How many users were expected, as far as they were counted, and how many are done.
    Column("expected", BigInteger, nullable=False),
    Column("expected_more", Boolean, nullable=False),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    # Where the work has come to, and where it ends.
    Column("position", long_text()),
    Column("until_id", BigInteger, nullable=False),
    Column("results", long_text(), nullable=False),
    # Of selected users: how the action ended for each, in their order.
    Column("user_results", long_text()),
    Column("lease_owner", word(128)),
    Column("lease_until", BigInteger),
    PrimaryKeyConstraint("id"),
    Index(None, "status", "id"),
    info=IDS_ONCE,
)

#: Processes of the service, each with the pauses of accounts that it knows of, as JSON.
instances = Table(
    "instances",
    metadata,
    Column("name", word(128), nullable=False),
    Column("version", word(32), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("pauses", long_text(), nullable=False),
    PrimaryKeyConstraint("name"),
)

#: Events that WeChat pushed, each by a digest, and when it was acted on; kept for about a day.
event_deliveries = Table(
    "event_deliveries",
    metadata,
    Column("digest", digest(), nullable=False),
    Column("owner", word(64), nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    PrimaryKeyConstraint("digest"),
    Index(None, "claimed_at"),
)

#: Users whose sessions were ended, and since when new ones must have begun; kept as long as sessions may last.
session_ends = Table(
    "session_ends",
    metadata,
    Column("openid", word(128), nullable=False),
    Column("appid", word(64), nullable=False),
    Column("not_before", BigInteger, nullable=False),
    PrimaryKeyConstraint("openid", "appid"),
    Index(None, "not_before"),
)

#: What happened to users, counted by day; kept for a month.
user_history = Table(
    "user_history",
    metadata,
    Column("id", row_id(), autoincrement=True, nullable=False),
    Column("openid", word(128), nullable=False),
    Column("appid", word(64), nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("kind", word(32), nullable=False),
    Column("name", word(64), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("rid", word(64), nullable=False),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("openid", "appid", "day", "kind", "name"),
    Index(None, "day", "kind", "name"),
)

#: How the last calls of each account to each endpoint of WeChat ended.
call_outcomes = Table(
    "call_outcomes",
    metadata,
    Column("appid", word(64), nullable=False),
    Column("endpoint", word(32), nullable=False),
    Column("last_success_at", BigInteger),
    Column("accepted_at", BigInteger),
    Column("last_failure_at", BigInteger),
    Column("errcode", BigInteger),
    Column("failing_since", BigInteger),
    PrimaryKeyConstraint("appid", "endpoint"),
)

#: The errcodes that such calls failed with lately; `latest` is JSON.
call_failures = Table(
    "call_failures",
    metadata,
    Column("appid", word(64), nullable=False),
    Column("endpoint", word(32), nullable=False),
    Column("errcode", BigInteger, autoincrement=False, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("latest", long_text(), nullable=False),
    PrimaryKeyConstraint("appid", "endpoint", "errcode"),
)

#: Accounts' own credentials: the basic access token, and the tickets that are had with it.
account_credentials = Table(
    "account_credentials",
    metadata,
    Column("appid", word(64), nullable=False),
    Column("kind", word(32), nullable=False),
    # Sealed; WeChat asks for room for 512 characters of a token at least. Empty until the first is obtained.
    Column("sealed", LargeBinary, nullable=False),
    Column("obtained_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("next_refresh_at", BigInteger),
    Column("last_used_at", BigInteger, nullable=False),
    Column("refresh_failures", Integer, nullable=False),
    Column("last_error_code", BigInteger),
    Column("last_error_kind", word(64)),
    Column("last_error_at", BigInteger),
    Column("forced_at", BigInteger),
    Column("forced_count", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("lease_owner", word(128)),
    Column("lease_until", BigInteger),
    PrimaryKeyConstraint("appid", "kind"),
)
