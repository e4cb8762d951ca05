#!/srv/shop/venv/bin/python
import sys
from importlib import import_module

# This script forces the settings of its site, and believes only what the front may say.
sys.path.insert(0, '/etc/deploykit/flup')
application = import_module('shop_wsgi').application

from django_deploykit.handlers.flup import serve

if __name__ == "__main__":
    serve(
        application,
        protocol='fastcgi',
        address='/run/shop/shop.sock',
        processes=2,
        seconds=60,
    )
