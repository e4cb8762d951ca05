import sys

# Not pythonpath: --check-config loads the application before gunicorn looks at that.
sys.path.insert(0, '/etc/deploykit/gunicorn')

bind = [':80']
wsgi_app = 'shop_wsgi:application'
chdir = '/srv/shop'

workers = 2
threads = 5
timeout = 60
graceful_timeout = 60
keepalive = 5
backlog = 1024
limit_request_line = 8190

# Headers are believed, if at all, by the script that it loads: never by gunicorn itself.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers = {}
header_map = "drop"

raw_env = ['LANG=C.UTF-8', 'LC_ALL=C.UTF-8', 'DEPLOYKIT_REQUEST_TIMEOUT=60']
accesslog = '-'
errorlog = "-"
control_socket_disable = True
