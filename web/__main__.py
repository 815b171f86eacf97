"""Process: web, the pages and the API."""

from pipeline.serving import serve
from pipeline.settings import require_secret, settings
from web.app import create_app

WORKERS = 2
THREADS = 8

if __name__ == "__main__":
    require_secret()
    serve(create_app, settings().web_port, workers=WORKERS, threads=THREADS)
