"""Pages that anybody may read: the list of events, an event, its sections and seats."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from markupsafe import Markup

from web.accounts import caller, known_now, unknown_now
from web.fragments import page_or_fragment, private
from web.inputs import whole_number
from web.languages import language
from web.listing import Page, Search, read_counts, read_page
from web.modes import holds_away, stuck_of, tickets_late
from web.posters.picture import png
from web.problems import Problem
from web.recent import Kept, Recent
from web.seats import (
    SEATS_AT_ONCE_MAX,
    Event,
    cart,
    find_event_or_last_known,
    map_version,
    plan_of,
    seats_of,
)

pages = Blueprint("events", __name__)

LIST_S = 1.0
LISTS_KEPT_MAX = 256
SEATS_KEPT_MAX = 64
PICTURE_S = 86_400
PICTURES_KEPT_MAX = 64

_lists: Recent[Markup] = Recent(LIST_S, LISTS_KEPT_MAX)
_left: Recent[Markup] = Recent(LIST_S, LISTS_KEPT_MAX)
_counts: Recent[dict[str, int]] = Recent(LIST_S, LISTS_KEPT_MAX)
_pictures: Recent[bytes] = Recent(PICTURE_S, PICTURES_KEPT_MAX)
_seats: Recent[list[Any]] = Recent(0, SEATS_KEPT_MAX)


@pages.get("/")
@pages.get("/events")
def index() -> Response:
    """The list; with a cursor, the events behind it."""
    search = Search.parse(request.args)
    rows = _lists.get((search, language()), lambda: _render_rows(search, read_page(search)))
    # What a list goes on with is rows; a search in the page changes the counts beside them, too.
    response = page_or_fragment(
        "events/index.html",
        "events/_rows.html" if search.cursor else "events/_results.html",
        search=search,
        rows=rows.value,
        counts=_counts.get(search.q, lambda: read_counts(search.q)).value,
        stale=rows.stale,
    )
    if search.cursor:
        # The address of a list that has grown: whoever comes back to it finds it as long as before.
        response.headers["HX-Replace-Url"] = search.address(shown=search.shown_with_these)
    return _revalidated(response, stale=rows.stale)


@pages.get("/events/left")
def left() -> Response:
    """What is left of the events of a list, to be set into the page that shows it."""
    search = Search.parse(request.args)
    lines = _left.get(
        (search, language()),
        lambda: Markup(  # noqa: S704  our own template
            render_template("events/_left.html", events=read_page(search).events, again=True)
        ),
    )
    return _revalidated(make_response(lines.value), stale=lines.stale)


def _render_rows(search: Search, page: Page) -> Markup:
    """The rows; the next event that can be bought is pasted large before all others."""
    on_sale = (event for event in page.events if event.on_sale and event.available_seats)
    lead = None if search.cursor else next(on_sale, None)
    events = [lead, *(event for event in page.events if event is not lead)] if lead else page.events
    rows = render_template(
        "events/_page.html", search=search, events=events, lead=lead, following=page.following
    )
    return Markup(rows)  # noqa: S704  our own template


@pages.get("/events/<int:event_id>/picture.png")
def picture(event_id: int) -> Response:
    """The poster for link previews."""
    event = find_event_or_last_known(event_id).value
    drawn = _pictures.get(
        (event.id, event.category, event.title),
        lambda: png(event.id, event.category, event.title),
    )
    response = Response(drawn.value, mimetype="image/png")
    response.cache_control.public = True
    response.cache_control.max_age = PICTURE_S
    return response


@pages.get("/events/<int:event_id>")
def show(event_id: int) -> Response:
    """An event: its sections, or the seats of the one asked for (of all, in a small hall)."""
    section = request.args.get("section")
    return event_page(event_id, None if section is None else whole_number(section) or 0)


def event_page(
    event_id: int, section: int | None = None, status: int = 200, **refused: Any
) -> Response:
    """The event's page for this visitor; `refused` says why, when it answers a refused hold."""
    kept = find_event_or_last_known(event_id)
    event = kept.value
    chosen = [one for one in event.sections if one.number == section]
    if section is not None and not chosen:
        raise Problem(404, "section_not_found", "The event has no section of this number.")
    version = map_version()
    seats: Kept[list[Any]] = Kept([], stale=kept.stale)
    if event.on_sale and (chosen or event.total_seats <= SEATS_AT_ONCE_MAX):
        seats = _seats.fresh((event_id, section), lambda: seats_of(event_id, section))
    if "HX-Request" in request.headers:
        # A part has no room to say that it does not know which seats are theirs: the page stays.
        known_now()
    old = kept.stale or seats.stale
    stale = old or unknown_now()
    no_holds = holds_away()
    holds = [] if stale else cart(event_id, caller().holder)
    # A large hall has its plan above the sections, and beside the seats of one in small.
    large = event.on_sale and event.total_seats > SEATS_AT_ONCE_MAX
    response = page_or_fragment(
        "events/show.html",
        "events/_map.html",
        status,
        event=event,
        section=chosen[0] if chosen else None,
        parts=_parts(event, seats.value),
        hall=plan_of(event) if large and not old else None,
        version=version,
        holds=holds,
        mine={seat.id for seat in holds},
        contested={seat.id for seat in refused.get("lost", ())},
        stale=stale,
        no_holds=no_holds,
        late=not stale and tickets_late(),
        stuck=_stuck_orders(event, stale=stale),
        **refused,
    )
    return _revalidated(response, stale=stale or no_holds)


def _stuck_orders(event: Event, *, stale: bool) -> int:
    """How many orders of it wait for an operator, where its own organiser looks."""
    who = caller()
    if stale or who.account is None or "organiser" not in who.roles:
        return 0
    return stuck_of(event.id, str(who.account))


def _parts(event: Event, seats: Sequence[Any]) -> list[tuple[Any, list[tuple[str, list[Any]]]]]:
    """The seats by section and row, each in order of position."""
    sections = {section.number: section for section in event.sections}
    return [
        (
            sections[number],
            [
                (row, list(of_row))
                for row, of_row in groupby(of_section, key=lambda seat: seat.row_label)
            ],
        )
        for number, of_section in groupby(seats, key=lambda seat: seat.section_number)
        if number in sections
    ]


def _revalidated(response: Response, *, stale: bool) -> Response:
    """Let the browser, and nobody else, keep the page, which says who is signed in; but ask."""
    private(response)
    if stale:
        response.headers["X-From-Cache"] = "true"
    if response.status_code == 200:
        response.add_etag()
        response.make_conditional(request)
    return response
