"""What an address of the API promises, written beside the code that keeps it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from web.api.schemas import Schema

View = TypeVar("View", bound=Callable[..., Any])

ANYBODY: tuple[dict[str, list[str]], ...] = ({}, {"token": []}, {"session": []})
HOLDER: tuple[dict[str, list[str]], ...] = ({"token": []}, {"session": []})
SESSION: tuple[dict[str, list[str]], ...] = ({}, {"session": []})
EVERYWHERE = {429: ("too_many_requests",), 503: ("busy",)}
BODY = {400: ("bad_request",), 413: ("too_large",), 415: ("unsupported_type",)}


@dataclass(frozen=True)
class Contract:
    """One operation: who may, what it takes, what it gives, and with which codes it refuses."""

    summary: str
    gives: dict[int, str | None]
    """Status and name of the answer's schema; None: no body."""
    who: tuple[dict[str, list[str]], ...] = ANYBODY
    takes: Schema | None = None
    body_needed: bool = True
    query: dict[str, Schema] = field(default_factory=dict)
    headers: dict[str, Schema] = field(default_factory=dict)
    """Request headers that must be there."""
    refuses: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def problems(self, *, unsafe: bool, guarded: bool) -> dict[int, tuple[str, ...]]:
        """All codes by status, with those that every such address has."""
        shared: list[Mapping[int, tuple[str, ...]]] = [EVERYWHERE, {401: ("unauthenticated",)}]
        if self.takes:
            shared += [BODY, {422: ("invalid_body",)}]
        if unsafe:
            shared.append({403: ("cross_site",)})
        if guarded:
            shared.append({412: ("other_account",)})
        found: dict[int, tuple[str, ...]] = {}
        for some in (self.refuses, *shared):
            for status, codes in some.items():
                found[status] = tuple(dict.fromkeys((*found.get(status, ()), *codes)))
        return dict(sorted(found.items()))


def contract(summary: str, gives: dict[int, str | None], **more: Any) -> Callable[[View], View]:
    """Say what this view promises; `more` is as in Contract."""

    def write_down(view: View) -> View:
        view.contract = Contract(summary, gives, **more)  # type: ignore[attr-defined]
        return view

    return write_down
