"""Half of what is generated names an event and seats that exist, so that not every case ends at the first check."""

import os
import re
from typing import Any

import schemathesis

EVENT = int(os.environ.get("FUZZ_EVENT", "1"))
SEATS = [int(seat) for seat in os.environ.get("FUZZ_SEATS", "").split(",") if seat]


def _known(number: object, instead: int) -> object:
    """Every second whole number becomes one that exists; what is none stays as odd as it is."""
    whole = isinstance(number, int) and not isinstance(number, bool) and number >= 1
    return instead if whole and int(str(number)) % 2 else number


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> Any:
    """The event in the address."""
    if path_parameters and "event_id" in path_parameters:
        known = _known(path_parameters["event_id"], EVENT)
        return {**path_parameters, "event_id": known}
    return path_parameters


@schemathesis.hook
def map_headers(_context: Any, headers: dict[str, Any] | None) -> Any:
    """Most marks that could be an account's are left out: nobody's would be, so all would end there."""
    mark = str((headers or {}).get("If-Account", ""))
    if headers and re.fullmatch("[1-9a-f][0-9a-f]{15}", mark, re.ASCII):
        return {name: text for name, text in headers.items() if name != "If-Account"}
    return headers


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """The event and the seats in the body; seats stay different ones."""
    if not isinstance(body, dict):
        return body
    changed = dict(body)
    if "event_id" in body:
        changed["event_id"] = _known(body["event_id"], EVENT)
    seats = body.get("seat_ids")
    if isinstance(seats, list) and SEATS and all(type(one) is int and one >= 1 for one in seats):
        first = sum(seats) % len(SEATS)
        if first % 2 and len(set(seats)) == len(seats) <= len(SEATS):
            changed["seat_ids"] = [
                SEATS[(first + place) % len(SEATS)] for place in range(len(seats))
            ]
    return changed
