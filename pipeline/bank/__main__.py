"""Process: bank, the simulated payment provider; idle where a real one is configured."""

from pipeline import logs
from pipeline.bank.app import create_app
from pipeline.serving import serve
from pipeline.settings import settings
from pipeline.signals import stopping

THREADS = 8


def main() -> None:
    """Serve until SIGTERM."""
    if not settings().own_bank:
        logs.configure()
        stopping().wait()
        return
    ledger = settings().data_dir / "bank.sqlite3"
    serve(lambda: create_app(ledger), settings().bank_port, threads=THREADS)


if __name__ == "__main__":
    main()
