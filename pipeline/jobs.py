"""RQ's queue of ticket jobs: how many orders one carries, how many wait, how long one may take."""

from rq import Queue
from rq.serializers import JSONSerializer

from pipeline.connections import queue_client
from pipeline.messages import TICKETS_QUEUE

JOB_ORDERS_MAX = 25
JOBS_WAITING_MAX = 12
JOB_TIMEOUT_S = 60
RESULT_TTL_S = 60
FAILURE_TTL_S = 86_400


def ticket_queue() -> Queue:
    """The queue, with arguments as JSON: a job carries ids and nothing else."""
    return Queue(TICKETS_QUEUE, connection=queue_client(), serializer=JSONSerializer)
