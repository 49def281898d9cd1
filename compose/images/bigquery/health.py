"""Health: read the catalogue and run a query.

The stand-in listens even when its database failed to open, so a check of the port lies.
"""

from api import call

call("127.0.0.1", "GET", "/datasets")
answer = call("127.0.0.1", "POST", "/queries", {"query": "SELECT 1", "useLegacySql": False})
if answer["rows"] != [{"f": [{"v": "1"}]}]:
    raise SystemExit(f"SELECT 1 answered {answer}")
