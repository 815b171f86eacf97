"""A buyer is forgotten: orders stay for the books under a name that is nobody's."""

from pipeline.connections import pool
from pipeline.seatlock import client as seatlock
from sql import write


def forget(buyer: str, stand_in: str) -> bool:
    """Put the stand-in in the buyer's place everywhere, and give back what is held.

    False, and nothing is changed, while something of theirs is still under way. Asked again it
    finishes what was cut off. Raises SeatlockUnreachableError.
    """
    with pool("pipeline").connection() as connection:
        done: bool = write(connection, "privacy.anonymise", sub=buyer, stand_in=stand_in)[0].done
    if done:
        seatlock.forget(f"account:{buyer}")
    return done
