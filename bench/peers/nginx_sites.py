"""nginx's sites as two documentations have them, for more than one peer."""

from __future__ import annotations

# https://uwsgi-docs.readthedocs.io/en/latest/tutorials/Django_and_nginx.html
UWSGI_SITE = """
upstream django {{
    server unix://{socket};
}}
server {{
    listen {address};
    server_name localhost;
    charset utf-8;
    client_max_body_size 75M;
    location /static {{
        alias {static};
    }}
    location / {{
        uwsgi_pass django;
        include /etc/nginx/uwsgi_params;
    }}
}}
"""

# https://www.digitalocean.com/community/tutorials/
# how-to-set-up-django-with-postgres-nginx-and-gunicorn-on-ubuntu
GUNICORN_SITE = """
server {{
    listen {address};
    server_name localhost;
    location = /favicon.ico {{ access_log off; log_not_found off; }}
    location /static/ {{
        root {project};
    }}
    location / {{
        include /etc/nginx/proxy_params;
        proxy_pass http://unix:{socket};
    }}
}}
"""
