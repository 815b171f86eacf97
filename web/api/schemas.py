"""The shapes that the API takes and gives, as JSON Schema: components of the OpenAPI document."""

from typing import Any

from pipeline.payments import CARD_DIGITS_MAX
from pipeline.seatlock.client import SEATS_PER_HOLD_MAX
from web.accounts.bearer import ROLES, TOKEN_LETTERS_MAX
from web.inputs import ADDRESS_LETTERS_MAX, ID_MAX
from web.keys import KEY_LETTERS_MAX
from web.listing import CATEGORIES, CURSOR_LETTERS_MAX

Schema = dict[str, Any]

ID: Schema = {"type": "integer", "minimum": 1, "maximum": ID_MAX}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2027-03-15T01:30:00Z"]}
MONEY: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?$", "examples": ["80.00"]}
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["PEN"]}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
CURSOR: Schema = {"type": ["string", "null"], "maxLength": CURSOR_LETTERS_MAX}
CURSOR_ASKED: Schema = {
    "type": "string",
    "description": "the `next` of the page before",
    "examples": [""],
}
STATUSES = ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"]
CARD_LETTERS_MAX = 2 * CARD_DIGITS_MAX
MARK: Schema = {
    "type": "string",
    "pattern": "^[0-9a-f]{16}$",
    "description": "Do it for the account with this mark (`X-Account`) or not at all.",
}
KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": KEY_LETTERS_MAX,
    "pattern": "^[!-~]([ -~]*[!-~])?$",
    "examples": ["7f6c1c0e-one-purchase"],
}


def ref(name: str) -> Schema:
    """A schema of COMPONENTS by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def closed(**properties: Schema) -> Schema:
    """An object that has these properties, always, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": items}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


SEATS_NAMED: Schema = {
    "type": "array",
    "items": ID,
    "minItems": 1,
    "maxItems": SEATS_PER_HOLD_MAX,
    "uniqueItems": True,
    "examples": [[10001, 10002]],
}
_SEAT: dict[str, Schema] = {
    "id": ID,
    "section": TEXT,
    "section_number": {"type": "integer", "minimum": 1},
    "row": TEXT,
    "number": TEXT,
    "position": COUNT,
    "accessible": {"type": "boolean"},
    "price": MONEY,
}
CARD: Schema = {
    "type": "string",
    "maxLength": CARD_LETTERS_MAX,
    "description": "12 to 19 digits with a right check digit; spaces and dashes do not count.",
    "examples": ["4242424242424242"],
}
METHOD: Schema = {
    "type": "string",
    "pattern": "^pm_[!-~]{1,97}$",
    "description": "Pays for one purchase, within 24 hours.",
}
PAYMENT: Schema = {
    "description": "A card, or a payment method; null where the seats cost nothing.",
    "oneOf": [
        closed(card_number=CARD),
        closed(method=METHOD),
        {"type": "null"},
    ],
}
TOKEN: Schema = {"type": "string", "minLength": 1, "maxLength": TOKEN_LETTERS_MAX}

COMPONENTS: dict[str, Schema] = {
    "Event": closed(
        id=ID,
        title=TEXT,
        description=TEXT,
        category={"type": "string", "enum": list(CATEGORIES)},
        venue=TEXT,
        time_zone={"type": "string", "examples": ["America/Lima"]},
        starts_at=TIME,
        ends_at=TIME,
        sales_end_at=TIME,
        status={"type": "string", "enum": ["PUBLISHED", "CANCELLED"]},
        on_sale={"type": "boolean"},
        price_from=maybe(MONEY),
        currency=CURRENCY,
        total_seats=COUNT,
        available_seats=COUNT,
        image_url={"type": "string", "format": "uri"},
    ),
    "Events": closed(events=listed(ref("Event")), next=CURSOR),
    "Seat": closed(
        **_SEAT, status={"type": "string", "enum": ["AVAILABLE", "LOCKED", "SOLD", "BLOCKED"]}
    ),
    "Seats": closed(event_id=ID, version=TEXT, seats=listed(ref("Seat"))),
    "Hold": closed(seats=listed(ref("Seat")), expires_at=TIME),
    "Released": closed(seat_ids=listed(ID)),
    "Extended": closed(expires_at=TIME),
    "Placed": closed(
        order_uuid=UUID,
        status={"type": "string", "enum": STATUSES},
        total_amount=MONEY,
        currency=CURRENCY,
        seats=listed(ref("SoldSeat")),
    ),
    "SoldSeat": closed(**_SEAT, status={"type": "string", "enum": ["SOLD", "VOID"]}),
    "Ticket": closed(ticket_uuid=UUID, seat=ref("SoldSeat"), code=maybe(TEXT), qr_url=TEXT),
    "Change": closed(
        previous_status={"type": ["string", "null"], "enum": [*STATUSES, None]},
        new_status={"type": "string", "enum": STATUSES},
        changed_at=TIME,
        notes=maybe(TEXT),
    ),
    "Order": closed(
        order_uuid=UUID,
        status={"type": "string", "enum": STATUSES},
        reason=maybe(TEXT),
        total_amount=MONEY,
        currency=CURRENCY,
        event_id=ID,
        event_title=TEXT,
        event_ends_at=TIME,
        created_at=TIME,
        completed_at=maybe(TIME),
        cancellable={"type": "boolean"},
        seats=listed(ref("SoldSeat")),
        tickets=listed(ref("Ticket")),
        history=listed(ref("Change")),
    ),
    "PaymentMethod": closed(id=METHOD),
    "Purchase": {
        "description": "What became of a purchase. One that was refused with 402, or with"
        " 409 seat_unavailable or hold_expired, is over; after any other refusal the same key"
        " may be sent again.",
        "oneOf": [
            closed(state={"const": "running"}),
            closed(state={"const": "bought"}, order_uuid=UUID),
            closed(
                state={"const": "refused"},
                status={"type": "integer", "enum": [402, 409, 422, 503]},
                problem=ref("Problem"),
            ),
        ],
    },
    "Orders": closed(orders=listed(ref("Order")), next=CURSOR),
    "Me": closed(
        sub=TEXT,
        name=TEXT,
        email=TEXT,
        roles=listed({"type": "string", "enum": sorted(ROLES)}),
        expires_at=maybe(TIME),
    ),
    "Authorization": closed(authorization_url={"type": "string", "format": "uri"}),
    "Pair": closed(
        access_token=TEXT,
        token_type={"const": "Bearer"},
        expires_in=COUNT,
        refresh_token=maybe(TEXT),
    ),
    "Renewed": closed(expires_at=TIME),
    "Renewal": {"oneOf": [ref("Renewed"), ref("Pair")]},
    "Problem": {
        "type": "object",
        "description": "RFC 9457, with a stable code in `error` and the code's own members.",
        "properties": {
            "type": {"const": "about:blank"},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "error": {"type": "string", "pattern": "^[a-z_]+$"},
        },
        "required": ["type", "title", "status", "detail", "error"],
    },
}

SEATS_BODY = {
    "type": "object",
    "properties": {"seat_ids": SEATS_NAMED},
    "required": ["seat_ids"],
}
PATIENCE: dict[str, Schema] = {
    "task": {"type": "string", "description": "of a 429 that asks for patience"},
    "work": {"type": "string", "description": "what was found for it; none after waiting"},
}
HOLD_BODY = {**SEATS_BODY, "properties": {"seat_ids": SEATS_NAMED, **PATIENCE}}
ORDER_BODY = {
    "type": "object",
    "properties": {
        "event_id": ID,
        "seat_ids": SEATS_NAMED,
        "payment": PAYMENT,
        "total": {
            "description": "What the buyer was shown: another sum of the holds is `price_changed`,"
            " before any charge. Without it their sum is charged.",
            "type": ["string", "null"],
            "pattern": r"^[0-9]{1,10}(\.[0-9]{1,3})?$",
            "examples": [None],
        },
    },
    "required": ["event_id", "seat_ids"],
}
CARD_BODY = {"type": "object", "properties": {"card_number": CARD}, "required": ["card_number"]}
LOGIN_BODY = {
    "type": "object",
    "properties": {"next": {"type": "string", "maxLength": ADDRESS_LETTERS_MAX}, **PATIENCE},
}
REFRESH_BODY = {
    "type": "object",
    "properties": {"refresh_token": TOKEN},
    "required": ["refresh_token"],
}
