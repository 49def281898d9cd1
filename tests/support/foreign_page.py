"""A page of another origin on loopback, and what it tries against an address."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import BrowserContext, Page

from tests.support.docker import ROOT

SCRIPTS = ROOT / "tests" / "attack"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def foreign_page(context: BrowserContext) -> Iterator[Page]:
    """A page that holds ``page.js``; its function ``attack`` returns what it could read."""
    handler = partial(_Quiet, directory=str(SCRIPTS))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            page = context.new_page()
            page.goto(f"http://localhost:{server.server_port}/page.js")
            page.set_content("<!doctype html><body></body>")
            page.add_script_tag(path=SCRIPTS / "page.js")
            yield page
        finally:
            server.shutdown()
            thread.join()
