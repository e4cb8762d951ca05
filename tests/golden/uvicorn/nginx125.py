import os
import sys

# Each worker is an interpreter of its own, and runs this file but for its last lines.
os.environ.update({'LANG': 'C.UTF-8', 'LC_ALL': 'C.UTF-8'})
os.chdir('/srv/shop')
sys.path.insert(0, '/etc/deploykit/uvicorn')

import uvicorn

config = {
    "app": 'shop_asgi:application',
    "workers": 2,
    "backlog": 1024,
    # Longer than any front keeps an idle connection, so that none is closed under it.
    "timeout_keep_alive": 75,
    # Requests that run, or are on their way, end before a worker does.
    "http": "django_deploykit.handlers.uvicorn:Protocol",
    "timeout_graceful_shutdown": 60,
    # A new worker that is not ready by then is given up, and the old one keeps its old code.
    "timeout_worker_healthcheck": 60,
    # Sooner than a front gives a websocket up that says nothing.
    "ws_ping_interval": 20,
    # Headers are believed, if at all, by the script that it loads: never by uvicorn itself.
    "proxy_headers": False,
    "server_header": False,
}

if __name__ == "__main__":
    from socket import AF_UNIX, socket

    # uvicorn itself would open it to everybody, and not start where an old one was left.
    if os.path.exists('/run/shop/shop.sock'):
        os.unlink('/run/shop/shop.sock')
    listener = socket(AF_UNIX)
    listener.bind('/run/shop/shop.sock')
    os.chmod('/run/shop/shop.sock', 0o660)
    uvicorn.run(fd=listener.fileno(), **config)
