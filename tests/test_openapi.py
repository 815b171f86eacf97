"""The API's document: it says all of what there is, and a short run of Schemathesis finds nothing else."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from tests.halls import hall
from tests.people import ANA, bearer
from tests.stations import bought, run_all
from web.sayings import REFUSALS

pytestmark = pytest.mark.usefixtures("clean")

ABOUT_ITSELF = {"api.show_document", "api.read"}


def document(client: FlaskClient) -> Any:
    return client.get("/api/openapi.json").get_json()


def test_the_document_is_valid_and_kept_by_its_etag(client: FlaskClient) -> None:
    answer = client.get("/api/openapi.json")
    validate(answer.get_json())
    assert answer.get_json()["openapi"] == "3.1.0"
    again = client.get("/api/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_every_address_of_the_api_is_in_it_and_no_other(app: Flask, client: FlaskClient) -> None:
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api") and rule.endpoint not in ABOUT_ITSELF
    }
    said = {(path, method) for path, ways in document(client)["paths"].items() for method in ways}
    assert said == there


def test_every_code_that_it_names_can_be_said_to_people(client: FlaskClient) -> None:
    codes = set(re.findall(r"'enum': \[('[a-z_', ]+)\]", str(document(client)["paths"])))
    named = {code.strip("' ") for some in codes for code in some.split(",")}
    errors = {code for code in named if code.islower()} - {"date", "price", "asc", "desc", ""}
    assert {"busy", "seat_unavailable", "cross_site", "too_many_requests"} <= errors
    assert errors - set(REFUSALS) <= {"invalid_body", "idempotency_key_needed"}


def test_reads_of_the_api_have_etags_and_problems_are_documents(client: FlaskClient) -> None:
    event = hall()
    order = bought(event)
    run_all()
    for path in ("/api/events", f"/api/events/{event.id}", f"/api/events/{event.id}/seats", "/api/orders",
                 f"/api/orders/{order}", "/api/auth/me", "/api/openapi.json"):  # fmt: skip
        answer = client.get(path, headers=bearer(ANA))
        assert answer.status_code == 200
        again = client.get(path, headers={**bearer(ANA), "If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path
    for method, path, status in (
        ("GET", "/api/nowhere", 404), ("GET", "/api/events/0", 404), ("GET", "/api/events/x", 404),
        ("DELETE", "/api/events", 405), ("GET", "/api/orders", 401), ("POST", "/api/orders", 401),
        ("GET", f"/api/events/{2**63}", 404), ("GET", "/api/events?limit=1&limit=2", 422),
        ("GET", "/api/events?limit=", 422), ("GET", "/api/orders/not-a-uuid", 404),
    ):  # fmt: skip
        problem = client.open(path, method=method)
        assert (problem.status_code, problem.mimetype) == (status, "application/problem+json"), path
        assert {"type", "title", "status", "detail", "error"} <= set(problem.get_json())
    assert "POST" not in client.delete("/api/events").headers["Allow"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [("{", "application/json", 400), ("", "application/json", 400), ("{}", "text/plain", 415),
     ("[1]", "application/json", 422), ('"x"', "application/json", 422), ("null", "application/json", 422),
     ("[" * 30_000, "application/json", 400), ('{"seat_ids": [NaN]}', "application/json", 422),
     ('{"seat_ids": ["\\u0000"]}', "application/json", 422), ('{"seat_ids": [1e400]}', "application/json", 422),
     (b'{"seat_ids": "\xff"}', "application/json", 400), ('{"seat_ids": [' + "1," * 40_000 + "1]}", "application/json", 413),
     ('{"seat_ids": ["\\ud800"]}', "application/json", 422), ('{"seat_ids": [' + "9" * 5000 + "]}", "application/json", 400)],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_body_that_cannot_be_right_is_refused_with_its_reason(
    client: FlaskClient, body: str, kind: str, status: int
) -> None:
    event = hall()
    answer = client.post(
        f"/api/events/{event.id}/lock-seat", data=body, content_type=kind, headers=bearer(ANA)
    )
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_a_bad_token_is_refused_at_public_addresses_too(client: FlaskClient) -> None:
    wrong = {"Authorization": "Bearer x.y.z"}
    assert client.get("/api/events", headers=wrong).status_code == 401
    assert client.get("/api/openapi.json", headers=wrong).status_code == 401
    # Whoever renews or ends a sign-in may still carry the token that just ended.
    assert client.post("/api/auth/logout", headers=wrong).status_code == 204


def test_the_page_for_people_names_every_operation(client: FlaskClient) -> None:
    page = client.get("/api/").text
    for path, ways in document(client)["paths"].items():
        for method, operation in ways.items():
            assert f"<b>{method.upper()}</b> {path}" in page
            assert operation["summary"].replace("'", "&#39;") in page
    assert "<script" not in page.partition("<main")[2]
