"""What visitors do in their browsers, without JavaScript, and how the seats look afterwards."""

from typing import Any

from flask.testing import FlaskClient

from tests.halls import Hall, owner
from web.recent import forget


def post(phone: FlaskClient, address: str, form: dict[str, object]) -> Any:
    """Send a form as a browser does, following only the 307 that sets the cookie."""
    answer = phone.post(address, data=form)
    if answer.status_code == 307:
        answer = phone.post(answer.headers["Location"], data=form)
    forget()
    return answer


def take(phone: FlaskClient, event: Hall, seats: list[int], **form: object) -> Any:
    """Send the form of seats."""
    return post(phone, f"/events/{event.id}/holds", {"seat": seats, **form})


def states(event: Hall) -> list[str]:
    """How the seats look to everybody: a letter each."""
    with owner() as connection:
        rows = connection.execute(
            "SELECT CASE WHEN status = 'LOCKED' AND held_until <= now() THEN 'A'"
            "            ELSE left(status, 1) END"
            " FROM catalog.seats WHERE event_id = %s ORDER BY section_number, position",
            [event.id],
        ).fetchall()
    return [state for (state,) in rows]
