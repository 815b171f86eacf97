"""Process: an RQ worker that makes tickets and settles refunds, one job at a time, unforked."""

from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from pipeline import logs, refunds, tickets
from pipeline.connections import queue_client
from pipeline.embedded import wait_for_redis
from pipeline.messages import TICKETS_QUEUE
from pipeline.settings import settings

JOBS = (tickets.make_tickets, refunds.settle)
"""RQ looks them up by name; loaded now, so that no first buyer waits for it."""
WORKER_TTL_S = 60
"""A worker that has said nothing for so long is gone from RQ's registry."""


def main() -> None:
    """Work until SIGTERM; the job under way is finished first."""
    logs.configure()
    wait_for_redis(settings().redis_url)
    worker = SimpleWorker(
        [TICKETS_QUEUE],
        connection=queue_client(),
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_S,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    main()
