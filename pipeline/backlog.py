"""How many orders are unfinished, asked at most once a second a process."""

from pipeline.connections import pool
from pipeline.lately import Lately
from sql import read

ASK_EVERY_S = 1.0


def _count() -> int:
    with pool("pipeline").connection() as connection:
        return int(read(connection, "purchases.backlog")[0].unfinished)


unfinished_orders = Lately(_count, ASK_EVERY_S, 0)
