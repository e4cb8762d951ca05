import os
import sys

# Each worker is an interpreter of its own, and runs this file but for its last lines.
os.environ.update({'LANG': 'C.UTF-8', 'LC_ALL': 'C.UTF-8'})
os.chdir('/srv/shop')
sys.path.insert(0, '/etc/deploykit/granian')

from pathlib import Path

from granian import Granian

config = {
    "target": 'shop_asgi:application',
    "interface": "asgi",
    "http": "1",
    "workers": 2,
    "backlog": 1024,
    # A worker that dies is replaced; one that is to end may finish its requests.
    "respawn_failed_workers": True,
    "workers_kill_timeout": 60,
    "log_access": True,
}

if __name__ == "__main__":
    from multiprocessing import set_start_method

    # It would not start where an old one was left.
    Path('/run/shop/shop.sock').unlink(missing_ok=True)
    set_start_method("spawn")
    Granian(uds=Path('/run/shop/shop.sock'), uds_permissions=0o660, **config).serve()
