#!/srv/shop/venv/bin/python
import sys
from importlib import import_module

from django_deploykit.handlers.cgi import answer, take_request

# First, so that no header of a client is taken for a variable of this process.
request = take_request()

# This script forces the settings of its site, and believes only what the front may say.
sys.path.insert(0, '/etc/deploykit/cgi')
application = import_module('shop_wsgi').application

if __name__ == "__main__":
    answer(application, request, seconds=60)
