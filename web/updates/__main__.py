"""Process: updates. One gevent worker; everything it waits for is patched before it is imported."""
# ruff: noqa: E402  patching comes first

from gevent import monkey

monkey.patch_all()

from pipeline.serving import serve
from pipeline.settings import require_secret, settings
from web.updates.app import SOCKETS_MAX, create_app, drain

if __name__ == "__main__":
    require_secret()
    serve(
        create_app,
        settings().updates_port,
        worker_class="gevent",
        worker_connections=SOCKETS_MAX + 100,
        post_worker_init=drain,
    )
