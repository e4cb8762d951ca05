import sys
from importlib import import_module

# This script forces the settings of its site, and believes only what the front may say.
sys.path.insert(0, '/srv/My_Shop/ops/twisted')
application = import_module('My_Shop_wsgi').application

from django_deploykit.handlers.twisted import serve

if __name__ == "__main__":
    serve(
        application,
        address='/run/My_Shop/My_Shop.sock',
        processes=2,
        threads=5,
        seconds=60,
    )
