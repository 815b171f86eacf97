"""Everybody who buys in one seed: most by the API, some by the pages with a socket open."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import monotonic

import requests

from tests.chaos.buyers import Buyer, History
from tests.chaos.pages import PageBuyer

API_BUYERS, PAGE_BUYERS = 9, 3


def drive(
    history: History,
    seats: list[int],
    tokens: Sequence[str],
    visitors: Sequence[requests.Session],
    addresses: list[str],
) -> None:
    """All of them at once, until it is over; it ends in the moment in which the last came back."""
    by_pages = [
        PageBuyer(API_BUYERS + n, visitor, addresses[0], history)
        for n, visitor in enumerate(visitors)
    ]
    by_api = [Buyer(n, token, addresses, history) for n, token in enumerate(tokens)]
    with ThreadPoolExecutor(API_BUYERS + PAGE_BUYERS) as crowd, ExitStack() as ears:
        for buyer in by_pages:
            ears.enter_context(buyer.listening())
        running = [crowd.submit(buyer.run, seats) for buyer in (*by_api, *by_pages)]
        for done in running:
            done.result()
    history.ended = monotonic()
