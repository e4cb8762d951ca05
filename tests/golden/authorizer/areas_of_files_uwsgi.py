import sys

# The project's code, and the packages of its environment, come before anything else.
for directory in ('/srv/shop/venv/lib/python3.11/site-packages', '/srv/shop'):
    if directory in sys.path:
        sys.path.remove(directory)
    sys.path.insert(0, directory)

from django_deploykit.handlers import bootstrap

# Assigned, not defaulted: the site of this script can never be another one.
bootstrap(
    'shop.settings',
    env_file=None,
    prefix='',
    stack='authorizer/fastcgi',
)

from django.core.management import call_command

if __name__ == "__main__":
    # Each question names its policy and its site: one without gets an error.
    call_command(
        "runauthorizer", bind='127.0.0.1:9010', policy="", realm='shop', site='shop'
    )
