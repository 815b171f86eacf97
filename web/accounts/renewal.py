"""A session asks its issuer, every few minutes, whether what it says of its account still holds."""

import logging
from datetime import UTC, datetime
from functools import partial

import requests

from pipeline.connections import pool
from sql import Row, write
from web.accounts import tokens, vault
from web.accounts.bearer import Claims

log = logging.getLogger(__name__)

LEASE_S = 30.0
"""Longer than all deadlines of one question; so soon one without an answer is repeated."""


def renew(key: bytes, row: Row) -> Row | None:
    """The session's row as the issuer says it now; None where it says that this is over.

    A refresh token is good for one question, so of several tabs one asks and the others go on with
    what is known. So does everybody while the issuer does not answer.
    """
    with pool("web").connection() as connection:
        begun = write(connection, "accounts.begin_refresh", key=key, lease=LEASE_S)
    if not begun:
        return row
    known = Claims(row.sub, row.name, row.email, frozenset(row.roles), datetime.now(UTC))
    try:
        grant = _asked(key, vault.unseal(begun[0].refresh_token), known)
    except tokens.RefusedError:
        end(key)
        return None
    except requests.RequestException as error:
        log.warning("the issuer does not answer: %s", type(error).__name__)
        return row
    columns = grant.columns()
    del columns["issuer"]
    with pool("web").connection() as connection:
        kept = write(connection, "accounts.refreshed", key=key, longest=tokens.LONGEST_S, **columns)
    if not kept and grant.refresh_token:
        # Signed out meanwhile: what came too late must not stay good.
        tokens.revoke(grant.refresh_token)
    return kept[0] if kept else None


def end(key: bytes) -> Row | None:
    """End the session here; gives what its issuer gave, if there was one."""
    with pool("web").connection() as connection:
        ended = write(connection, "accounts.end_session", key=key)
    return ended[0] if ended else None


def _asked(key: bytes, refresh_token: str | None, known: Claims) -> tokens.Grant:
    if refresh_token is None:
        raise tokens.RefusedError
    return tokens.refresh(refresh_token, known, partial(_keep, key, known.sub))


def _keep(key: bytes, sub: str, refresh_token: str) -> None:
    """Write down what the next question is asked with."""
    sealed = vault.seal(refresh_token)
    with pool("web").connection() as connection:
        kept = write(
            connection, "accounts.keep_refresh_token", key=key, sub=sub, refresh_token=sealed
        )
    if not kept:
        # Signed out meanwhile: what came too late must not stay good.
        tokens.revoke(refresh_token)
