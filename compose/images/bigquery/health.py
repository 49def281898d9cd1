"""Health: the disk takes writes, the catalogue can be read, a query runs.

The stand-in listens even when its database failed to open, so a check of the port lies.
"""

from pathlib import Path

from api import call, fail

DISK_FULL = Path("/tmp/disk-full")

if DISK_FULL.exists():
    fail(DISK_FULL.read_text().strip())
call("127.0.0.1", "GET", "/datasets")
answer = call("127.0.0.1", "POST", "/queries", {"query": "SELECT 1", "useLegacySql": False})
if answer["rows"] != [{"f": [{"v": "1"}]}]:
    raise SystemExit(f"SELECT 1 answered {answer}")
