"""``python -m engines``: serve the engines on port 8000."""

import sys

import uvicorn

from engines.app import create_app
from engines.common import logs
from engines.common.security_headers import DEFAULTS
from engines.config.runtime_config import SettingsError, load_settings
from engines.server.limits import ServerLimits
from engines.server.protocol import limited
from engines.storage.google_credentials import require_google_credentials

HOST = "0.0.0.0"
"""Inside a container; the stack publishes it on loopback only."""
PORT = 8000
CONFIGURATION_ERROR = 78
"""EX_CONFIG of sysexits.h: restarting without a change cannot help."""


def main(host: str = HOST, port: int = PORT, limits: ServerLimits | None = None) -> int:
    """Serve until stopped; refuse to start on unusable settings, naming the variable."""
    logs.configure()
    limits = limits or ServerLimits()
    try:
        settings = load_settings()
        require_google_credentials(settings)
        app = create_app(settings, limits=limits)
    except SettingsError as error:
        print(f"refusing to start:\n{error}", file=sys.stderr)  # noqa: T201 - the operator's one message
        return CONFIGURATION_ERROR
    # Our own access line has the ids; the server's other lines go through the same handler as ours.
    # Forwarded headers are taken by our own rule, see engines.common.front.
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=limited(limits, app.state.refusals, DEFAULTS),
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=10,
        log_config=None,
        access_log=False,
        proxy_headers=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
