"""The list of events: what was asked for, a page at a time, with a cursor that lasts."""

import binascii
import json
import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from pipeline.connections import pool
from sql import read
from web.inputs import ID_MAX, whole_number
from web.problems import Problem

CATEGORIES = ("CONCERT", "THEATER", "SPORTS", "FESTIVAL", "CONFERENCE", "OTHER")
PAGE_EVENTS = 20
PAGE_EVENTS_MAX = 100
SHOWN_MAX = 200
SEARCH_LETTERS_MAX = 100
BEGINNING_LETTERS_MIN = 3
"""A shorter last word would find half the season."""
CURSOR_LETTERS_MAX = 200
PLACE = re.compile(r"-?\d{1,12}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True)
class Search:
    """What a list shows. Equal searches give equal lists, so it is the key of the cache, too."""

    category: str = ""
    q: str = ""
    sort: str = "date"
    order: str = "asc"
    limit: int = PAGE_EVENTS
    cursor: str = ""
    shown: int = 0
    """With a cursor: how many stand before it. Without: at least so many, as somebody left it."""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address. Raises Problem 422 for one that makes no sense."""
        limit = whole_number(args.get("limit", str(PAGE_EVENTS)))
        search = cls(
            args.get("category") or "",
            _words(args.get("q") or ""),
            args.get("sort") or "date",
            args.get("order") or "asc",
            limit or 0,
            args.get("cursor") or "",
            min(whole_number(args.get("shown") or "0") or 0, SHOWN_MAX),
        )
        if search.category and search.category not in CATEGORIES:
            raise _refuse("category", f"category is one of {', '.join(CATEGORIES)}.")
        if search.sort not in ("date", "price"):
            raise _refuse("sort", "sort is date or price.")
        if search.order not in ("asc", "desc"):
            raise _refuse("order", "order is asc or desc.")
        if not 1 <= search.limit <= PAGE_EVENTS_MAX:
            raise _refuse("limit", f"limit is a whole number from 1 to {PAGE_EVENTS_MAX}.")
        if search.cursor:
            search.after()
        return search

    def after(self) -> tuple[str | None, int]:
        """Where the list goes on. Raises Problem 422 when the cursor is not one of this list."""
        if not self.cursor:
            return None, 0
        try:
            kind, place, last_id = json.loads(urlsafe_b64decode(self.cursor[:CURSOR_LETTERS_MAX]))
            sensible = isinstance(place, str) and PLACE.fullmatch(place) and type(last_id) is int
        except (binascii.Error, ValueError, TypeError, RecursionError) as error:
            raise _refuse("cursor", "This is not a cursor of ours.") from error
        if not sensible or not 1 <= last_id <= ID_MAX or kind != f"{self.sort} {self.order}":
            raise _refuse("cursor", "This is not a cursor of this list.")
        return place, last_id

    @property
    def events(self) -> int:
        """How many events it asks for."""
        return self.limit if self.cursor else max(self.limit, self.shown)

    def follow(self, last: Any) -> Self:
        """The same search, going on behind the row `last`."""
        kept = json.dumps([f"{self.sort} {self.order}", last.place, last.id], separators=(",", ":"))
        cursor = urlsafe_b64encode(kept.encode()).decode()
        return replace(self, cursor=cursor, shown=self.shown_with_these)

    @property
    def shown_with_these(self) -> int:
        """How many are shown when these have come, too."""
        return (self.shown if self.cursor else 0) + self.events

    def address(self, **changed: str | int) -> str:
        """The address of this list, with some of it changed; what is as usual is left out."""
        usual = Search()
        there = replace(self, **{"cursor": "", "shown": 0, **changed})  # type: ignore[arg-type]  # as the fields are
        said = {
            name: str(getattr(there, name))
            for name in ("category", "q", "sort", "order", "limit", "cursor", "shown")
            if getattr(there, name) != getattr(usual, name)
        }
        return "/events" + (f"?{urlencode(said)}" if said else "")


@dataclass(frozen=True)
class Page:
    """Some events in order, and the search that goes on behind them."""

    events: list[Any]
    following: Search | None


def read_page(search: Search) -> Page:
    """One page of the list, fresh from the tables."""
    place, last_id = search.after()
    before, beginning = _typing(search.q)
    with pool("web").connection() as connection:
        rows = read(
            connection,
            "events.page",
            q=search.q,
            before=before,
            beginning=beginning,
            category=search.category,
            by_price=search.sort == "price",
            direction=1 if search.order == "asc" else -1,
            after_place=place,
            after_id=last_id,
            limit=search.events + 1,
        )
    shown = rows[: search.events]
    return Page(shown, search.follow(shown[-1]) if len(rows) > search.events else None)


def read_counts(q: str) -> dict[str, int]:
    """How many events of each category these words find."""
    before, beginning = _typing(q)
    with pool("web").connection() as connection:
        rows = read(connection, "events.counts", q=q, before=before, beginning=beginning)
    return {row.category: row.events for row in rows}


def _words(text: str) -> str:
    """Somebody's words as one line of printable letters; some phones send the accents apart."""
    composed = unicodedata.normalize("NFC", text[:SEARCH_LETTERS_MAX])
    return " ".join("".join(letter if letter.isprintable() else " " for letter in composed).split())


def _typing(q: str) -> tuple[str, str]:
    """What stands before the last word, and that word if it may be one still being typed."""
    before, _, last = q.rpartition(" ")
    plain = all(letter.isalnum() or letter == " " for letter in q)
    return (before, last) if plain and len(last) >= BEGINNING_LETTERS_MIN else (q, "")


def _refuse(parameter: str, detail: str) -> Problem:
    return Problem(422, "invalid_parameter", detail, parameter=parameter)
