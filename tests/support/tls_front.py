"""A TLS front as PRODUCTION.md asks for it: nginx in a container, with a certificate made for the test."""

import base64
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from testcontainers.core.container import DockerContainer

from tests.support.docker import OUTPUT, TEST_PROJECT, free_port, wait_until
from tests.support.raw_http import exchange

NAME = "bossman.example"

CONFIGURATION = """
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {{
    listen 127.0.0.1:{tls} ssl;
    listen 127.0.0.1:{plain};
    ssl_certificate /tmp/front.pem;
    ssl_certificate_key /tmp/front.pem;
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
  server {{
    listen 127.0.0.1:{bare} ssl;
    ssl_certificate /tmp/front.pem;
    ssl_certificate_key /tmp/front.pem;
    location / {{
      proxy_pass http://bossman;
    }}
  }}
  upstream bossman {{ server 127.0.0.1:{upstream}; }}
}}
"""


@dataclass(frozen=True)
class TlsFront:
    """A running front on loopback ports."""

    tls: int
    plain: int
    bare: int
    """TLS with ``proxy_pass`` alone: nginx sends the upstream's name as Host, and nothing forwarded."""
    trust: ssl.SSLContext


@contextmanager
def tls_front(upstream: int) -> Iterator[TlsFront]:
    """An nginx before the loopback port ``upstream``; its log is kept under test-output."""
    tls, plain, bare = free_port(), free_port(), free_port()
    pem, certificate = _certificate()
    configuration = CONFIGURATION.format(tls=tls, plain=plain, bare=bare, upstream=upstream)
    files = {"front.pem": pem, "front.conf": configuration.encode()}
    made = "".join(
        f"echo {base64.b64encode(text).decode()} | base64 -d > /tmp/{n}; " for n, text in files.items()
    )
    # The image of a stand-in has an nginx; nothing else of it runs.
    container = DockerContainer(f"{TEST_PROJECT}-objectstore").with_tmpfs_mount("/tmp")
    container.with_kwargs(
        read_only=True,
        network_mode="host",
        labels={TEST_PROJECT: "1"},
        entrypoint=["sh", "-c", f"{made}exec nginx -c /tmp/front.conf -g 'daemon off;'"],
    )
    with container:
        try:
            wait_until(lambda: _listens(plain), 60, "the TLS front")
            yield TlsFront(tls, plain, bare, ssl.create_default_context(cadata=certificate))
        finally:
            OUTPUT.mkdir(exist_ok=True)
            (OUTPUT / f"front-{tls}.log").write_bytes(b"".join(container.get_logs()))


def _listens(port: int) -> bool:
    try:
        return exchange(port, b"GET /livez HTTP/1.0\r\n\r\n").status > 0
    except OSError:
        return False


def _certificate() -> tuple[bytes, str]:
    """Key and certificate as one PEM, and the certificate alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME), address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return private + public, public.decode()
