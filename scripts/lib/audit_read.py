"""What pip-audit found out about one lock, from its JSON on stdin, in a line for each weakness.

Exit code 0: none is known. 1: some are. 3: not every package could be asked about. pip-audit itself calls
that success: on a closed host it says "no known vulnerabilities" without having asked anybody.
"""

import json
import sys

CLEAN, WEAK, UNKNOWN = 0, 1, 3


def judge(text, name):
    """Exit code and lines."""
    try:
        found = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return UNKNOWN, [f"{name}: not asked, the package index does not answer (.kit/audit.log)"]
    lines = [
        f"{name}: {one['name']} {one['version']}: {weak['id']}, "
        f"mended in {', '.join(weak['fix_versions']) or 'nothing yet'}"
        for one in found
        for weak in one.get("vulns", [])
    ]
    asked = [one for one in found if "skip_reason" not in one]
    if lines:
        return WEAK, lines
    if not found or len(asked) < len(found):
        return UNKNOWN, [f"{name}: the package index answered for {len(asked)} of {len(found)} packages"]
    return CLEAN, [f"{name}: {len(asked)} packages, no weakness is known"]


def main():
    """Print it."""
    code, lines = judge(sys.stdin.read(), sys.argv[1])
    sys.stdout.writelines(f"  {line}\n" for line in lines)
    sys.exit(code)


if __name__ == "__main__":
    main()
