import sys
from importlib import import_module

# This script forces the settings of its site, and believes only what the front may say.
sys.path.insert(0, '/etc/deploykit/twisted')
application = import_module('shop_wsgi').application

from django_deploykit.handlers.twisted import serve

if __name__ == "__main__":
    serve(
        application,
        address='/run/shop/shop.sock',
        processes=2,
        threads=5,
        seconds=60,
    )
