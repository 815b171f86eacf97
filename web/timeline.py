"""An order's journey as its buyer reads it: what is done, what is under way, what is to come."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from web.bought import Order
from web.sayings import N_

State = Literal["done", "now", "todo"]

PAID, CONFIRMED = N_("Pago aceptado"), N_("Confirmada")
YOURS = N_("Asientos tuyos, definitivo")
DRAWING, READY = N_("Dibujando las entradas"), N_("Entradas listas")
FAILED, CANCELLED = N_("No pudo ser"), N_("Compra anulada")
GIVING_BACK, GIVEN_BACK = N_("Devolviendo el dinero"), N_("Dinero devuelto")
FREEING, FREED = N_("Soltando los asientos"), N_("Asientos sueltos otra vez")


@dataclass(frozen=True)
class Step:
    """A step of the journey; `about` names what the page says below it."""

    state: State
    title: str
    at: datetime | None = None
    about: Literal["", "total", "seats", "count", "reason"] = ""
    notes: str = ""


def timeline(order: Order) -> list[Step]:
    """Every state that the order had, in order of time, then what is still to come."""
    free = not order.total_amount
    steps = [step for change in order.history for step in _done(change, free=free)]
    if order.status == "PENDING":
        steps.append(Step("now", DRAWING, about="count"))
    elif order.status == "PROCESSING":
        steps[-1] = replace(steps[-1], state="now")
    if order.unfinished:
        steps.append(Step("todo", READY))
    elif order.status in ("FAILED", "CANCELLED"):
        if order.settled_at:
            steps.append(Step("done", FREED if free else GIVEN_BACK, order.settled_at))
        else:
            steps.append(Step("now", FREEING if free else GIVING_BACK))
    return steps


def _done(change: Any, *, free: bool) -> list[Step]:
    match change.new_status:
        case "PENDING":
            return [
                Step("done", CONFIRMED if free else PAID, change.changed_at, "total"),
                Step("done", YOURS, change.changed_at, "seats"),
            ]
        case "PROCESSING":
            return [Step("done", DRAWING, change.changed_at, "count")]
        case "COMPLETED":
            return [Step("done", READY, change.changed_at)]
        case "CANCELLED":
            return [Step("done", CANCELLED, change.changed_at)]
        case _:
            return [Step("done", FAILED, change.changed_at, "reason", change.notes or "")]
