"""The audit chain; users and their sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, LargeBinary, Table, Text

from gridctl.store.schema.base import metadata

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    comment="the last link of the chain, so that a missing tail is found",
)


user = Table(
    "user",
    metadata,
    Column("name", Text, primary_key=True),
    Column("full_name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failed_real_s", Double),
    # "*": every area; else their names, joined by commas
    Column("areas", Text, nullable=False, server_default="*"),
    Column("source", Text, nullable=False, server_default="local"),
    # sealed by the key file of the instance; null: no code generator is enrolled
    Column("totp", LargeBinary),
    # the time step of the last code that was taken: none is taken twice
    Column("totp_step", BigInteger),
    Column("setup_hash", Text),
    Column("setup_until_s", Double),
)

authenticator = Table(
    "authenticator",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Text, ForeignKey("user.name"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("added_s", Double, nullable=False),
)
"""Security keys (WebAuthn) by their credential id; `public` is what proves their signatures."""

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("user", Text, ForeignKey("user.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("used_at_s", Double),
)
"""Codes for who has lost his second factor, as argon2id; each is good once."""

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("user", Text, ForeignKey("user.name"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("opened_real_s", Double, nullable=False),
    Column("seen_real_s", Double, nullable=False),
    Column("factor", Text, nullable=False, server_default="password"),
    Column("proved_real_s", Double, nullable=False, server_default="0"),
)
