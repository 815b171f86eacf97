"""Tell whoever listens that orders or seats changed: the stream `updates`."""

from collections.abc import Iterable

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM, OrderChanged, SeatsChanged

STREAM_LENGTH_MAX = 100_000
"""A page that slept through more than this fetches the present state instead."""


def announce(changes: Iterable[OrderChanged | SeatsChanged]) -> int:
    """Append the changes to the stream, in one round trip; gives how many."""
    pipeline = redis_client().pipeline(transaction=False)
    for change in changes:
        pipeline.xadd(UPDATES_STREAM, change.fields(), maxlen=STREAM_LENGTH_MAX, approximate=True)  # type: ignore[arg-type]
    return len(pipeline.execute())
