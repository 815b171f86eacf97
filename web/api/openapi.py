"""The OpenAPI 3.1 document, made from what the views say of themselves, and a page to read it."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Flask, Response, current_app, jsonify, render_template, request

from pipeline.settings import settings
from web.accounts import cookie_name
from web.api import api
from web.api.contract import Contract
from web.api.schemas import COMPONENTS, ID, UUID, Schema, ref

DOCUMENT_S = 60
PROBLEM = "application/problem+json"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PARAMETERS = {"int": ID, "uuid": UUID, "default": {"type": "string"}}
RESPONSE_HEADERS: dict[str, Schema] = {
    "ETag": {"type": "string"},
    "Location": {"type": "string"},
    "Retry-After": {"type": "integer", "minimum": 1},
    "WWW-Authenticate": {"type": "string"},
}
ABOUT = (
    "Errors are problem documents (RFC 9457) with a stable code in `error`."
    " Money is a decimal string with its currency, times are RFC 3339 in UTC."
    " Every read has an ETag: send it back in If-None-Match."
    " Send an access token of the identity provider as a bearer token,"
    " or the session's cookie from a page of ours."
    " A POST that creates takes an Idempotency-Key:"
    " sent again, it gives the first answer and `Idempotency-Replayed: true`."
    " Each page of ours says in `X-Account` whose it is:"
    " what comes with that mark in If-Account and as another account is refused with 412."
)


@api.get("/openapi.json")
def show_document() -> Response:
    """What the API promises."""
    response = jsonify(_document(current_app._get_current_object(), settings().public_url))  # type: ignore[attr-defined]  # noqa: SLF001
    response.cache_control.public = True
    response.cache_control.max_age = DOCUMENT_S
    response.add_etag()
    response.make_conditional(request)
    return response


@api.get("/")
def read() -> Response:
    """The same to be read by people."""
    document = _document(current_app._get_current_object(), settings().public_url)  # type: ignore[attr-defined]  # noqa: SLF001
    return Response(render_template("api/index.html", document=document), mimetype="text/html")


@cache
def _document(app: Flask, public_url: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        promised: Contract | None = getattr(app.view_functions[rule.endpoint], "contract", None)
        if promised is None:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in METHODS:
            if method in (rule.methods or ()):
                operation = _operation(rule.endpoint.rpartition(".")[2], method, promised)
                operation["parameters"] = [*_in_path(rule.rule), *operation["parameters"]]
                paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "TicketBuster", "version": _version(), "description": ABOUT},
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie_name()},
            },
        },
    }


def _version() -> str:
    try:
        return version("ticketbuster")
    except PackageNotFoundError:
        return "0.1.0"


def _in_path(rule: str) -> list[dict[str, Any]]:
    found = re.findall(r"<(?:(\w+):)?(\w+)>", rule)
    return [
        {"name": name, "in": "path", "required": True, "schema": PARAMETERS[kind or "default"]}
        for kind, name in found
    ]


def _operation(name: str, method: str, promised: Contract) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": promised.summary,
        "security": list(promised.who),
        "parameters": [
            *(
                {"name": one, "in": "query", "required": False, "schema": schema}
                for one, schema in promised.query.items()
            ),
            *(
                {"name": one, "in": "header", "required": True, "schema": schema}
                for one, schema in promised.headers.items()
            ),
        ],
        "responses": _answers(method, promised),
    }
    if promised.takes:
        operation["requestBody"] = {
            "required": promised.body_needed,
            "content": {"application/json": {"schema": promised.takes}},
        }
    return operation


def _answers(method: str, promised: Contract) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, schema in promised.gives.items():
        answer: dict[str, Any] = {"description": "As asked." if status < 300 else "See Location."}
        if schema:
            answer["content"] = {"application/json": {"schema": ref(schema)}}
        named = ["ETag"] if method == "GET" and schema else []
        named += ["Location"] if status in (201, 303) else []
        if named:
            answer["headers"] = {one: {"schema": RESPONSE_HEADERS[one]} for one in named}
        answers[str(status)] = answer
    if method == "GET" and any(promised.gives.values()):
        answers["304"] = {"description": "What If-None-Match names is still right."}
    for status, codes in promised.problems(unsafe=method != "GET").items():
        answers[str(status)] = _problem(status, codes)
    return answers


def _problem(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    narrowed = {"properties": {"status": {"const": status}, "error": {"enum": list(codes)}}}
    named = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
    if "session_needed" in codes:
        named = []
    answer: dict[str, Any] = {
        "description": ", ".join(codes),
        "content": {PROBLEM: {"schema": {"allOf": [ref("Problem"), narrowed]}}},
    }
    if named:
        answer["headers"] = {
            one: {"schema": RESPONSE_HEADERS[one], "required": True} for one in named
        }
    return answer
