"""The audit log: who did what, written once and never changed.

An order's own states are written by a trigger (orders.history), so placing or cancelling one needs
no line here. Everything else that a person does to an order, an event, a ticket or an account calls
`record` before it is answered.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from pipeline.connections import pool
from sql import read, write
from web.failures import request_id
from web.sayings import N_

ADDRESS_LETTERS_MAX = 200

ACTIONS = {
    "order_placed": N_("Compra hecha"),
    "order_started": N_("Entradas en marcha"),
    "order_completed": N_("Entradas listas"),
    "order_failed": N_("Compra fallida"),
    "order_cancelled": N_("Compra anulada"),
    "order_settled": N_("Dinero y asientos devueltos"),
    "order_dead_lettered": N_("Compra apartada: nadie la intenta más"),
    "registered": N_("Cuenta creada"),
    "signed_in": N_("Sesión iniciada"),
    "signed_out": N_("Sesión cerrada"),
    "signed_out_everywhere": N_("Todas las sesiones cerradas"),
    "sign_in_refused": N_("Contraseña equivocada"),
    "role_refused": N_("Permiso negado"),
    "data_downloaded": N_("Datos descargados"),
    "account_erased": N_("Cuenta borrada"),
}
"""Everything that the log can say, in the words of its page."""


@dataclass(frozen=True)
class About:
    """What a deed was done to. `email` finds the account that it was done to and is not kept."""

    order_uuid: UUID | None = None
    event_id: int | None = None
    ticket_uuid: UUID | None = None
    email: str = ""


NOTHING = About()


def record(action: str, sub: str | None, about: About = NOTHING, detail: str = "") -> None:
    """Write one deed of an account (None: a visitor).

    `detail` is a word of ours, such as a role: nothing that a person typed, no name, no address.
    """
    with pool("web").connection() as connection:
        note(connection, action, sub, about, detail)


def note(
    connection: "Connection[Any]",
    action: str,
    sub: str | None,
    about: About = NOTHING,
    detail: str = "",
) -> None:
    """The same on a connection, so that the deed and its line can be one transaction."""
    assert action in ACTIONS, action
    if sub is not None:
        write(connection, "audit.know", sub=sub)
    write(
        connection,
        "audit.record",
        sub=sub,
        action=action,
        order_uuid=about.order_uuid,
        event_id=about.event_id,
        ticket_uuid=about.ticket_uuid,
        # Postgres refuses some of what a form can carry, and nobody's address holds it.
        email=about.email[:ADDRESS_LETTERS_MAX] if about.email.isprintable() else "",
        detail=detail,
        request=request_id(),
    )


def actor_of(connection: "Connection[Any]", sub: str) -> UUID | None:
    """What the log calls this account; None where it never did anything."""
    rows = read(connection, "audit.actor", sub=sub)
    return rows[0].actor if rows else None
