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
    prefix='/shop',
    stack='apache-auth/script',
)

# Apache finds them by these names (WSGIAuthUserScript, WSGIAuthGroupScript, WSGIAccessScript).
from django_deploykit.handlers.modwsgi import allow_access, check_password, groups_for_user
