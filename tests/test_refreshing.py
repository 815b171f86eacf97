"""Refresh tokens of the embedded provider: good once, and over for good, however close two uses are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipeline.connections import pool
from sql import write
from tests.halls import owner
from tests.people import ANA
from tests.stations import one
from tests.test_provider import change, code
from web.provider import keys, refreshing, users

pytestmark = pytest.mark.usefixtures("clean")


def used(client: FlaskClient, token: str) -> Any:
    return client.post(
        "/provider/token",
        data={"grant_type": "refresh_token", "refresh_token": token},
        auth=("ticketbuster", keys.client_secret()),
    )


def token_of(answer: Any) -> str:
    return str(answer.get_json()["refresh_token"])


def test_two_uses_in_one_moment_end_the_family(app: Flask, client: FlaskClient) -> None:
    """One of them has a copy; that it was no later than the other makes it no better."""
    token = token_of(change(client, code(client)))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(2) as threads, owner() as lock, lock.transaction():
        lock.execute("SELECT 1 FROM accounts.refresh_tokens WHERE sub = %s FOR UPDATE", [ANA.sub])
        both = [threads.submit(used, app.test_client(), token) for _ in range(2)]
        deadline = monotonic() + 10
        while one(waiting) < len(both) and monotonic() < deadline:
            sleep(0.02)
    answers = sorted([one.result() for one in both], key=lambda answer: int(answer.status_code))
    assert [answer.status_code for answer in answers] == [200, 400]
    assert used(client, token_of(answers[0])).status_code == 400


def code_again(given: str) -> None:
    refreshing.end(refreshing.family_of(given))


def everywhere(_given: str) -> None:
    with pool("web").connection() as connection:
        write(connection, "privacy.end_sessions", sub=ANA.sub)


@pytest.mark.parametrize("meanwhile", [code_again, everywhere])
def test_what_is_given_out_while_its_family_ends_is_worth_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[str], None]
) -> None:
    given = code(client)
    with_sub = users.with_sub

    def and_meanwhile(sub: str) -> Any:
        meanwhile(given)
        return with_sub(sub)

    with monkeypatch.context() as patch:
        if meanwhile is code_again:
            patch.setattr(users, "with_sub", and_meanwhile)
            token = token_of(change(client, given))
        else:
            first = token_of(change(client, given))
            patch.setattr(users, "with_sub", and_meanwhile)
            token = token_of(used(client, first))
    assert used(client, token).status_code == 400


def test_an_end_is_forgotten_with_the_familys_last_token(client: FlaskClient) -> None:
    given = code(client)
    token = token_of(change(client, given))
    family = refreshing.family_of(given)
    refreshing.end(family)
    known = "SELECT count(*) FROM accounts.ended_families WHERE family = %s"

    def another_ends() -> int:
        refreshing.end(refreshing.family_of("another"))
        return int(one(known, family))

    with owner() as connection:
        connection.execute(
            "UPDATE accounts.ended_families SET ended_at = now() - interval '2 hours'"
        )
    assert another_ends() == 1, "there is a token that must not be good"
    assert used(client, token).status_code == 400
    with owner() as connection:
        connection.execute("DELETE FROM accounts.refresh_tokens WHERE family = %s", [family])
    assert another_ends() == 0
