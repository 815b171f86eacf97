"""Process: seatlock, the only one that changes a seat."""

from pipeline import logs
from pipeline.seatlock.server import serve
from pipeline.settings import settings
from pipeline.signals import stopping

GRACE_S = 2.0


def main() -> None:
    """Serve until SIGTERM, then finish what is under way."""
    logs.configure()
    stop = stopping()
    server = serve(settings().seatlock_url)
    stop.wait()
    server.stop(GRACE_S).wait()


if __name__ == "__main__":
    main()
