import sys

# Not pythonpath: --check-config loads the application before gunicorn looks at that.
sys.path.insert(0, '/etc/deploykit/gunicorn')

# gunicorn alone: it is the edge, so it believes no proxy and no header.
bind = [':80']
wsgi_app = 'shop_wsgi:application'
chdir = '/srv/shop'

workers = 2
threads = 5
timeout = 60
graceful_timeout = 30
keepalive = 5
backlog = 1024
limit_request_line = 8190

# Whoever connects is the client: nothing may speak for somebody else.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers = {}
header_map = "drop"

raw_env = ['LANG=C.UTF-8', 'LC_ALL=C.UTF-8']
accesslog = "-"
errorlog = "-"
control_socket_disable = True

# Started as root, it drops to this user and group.
user = 'shop'
group = 'www-data'
