"""The bill of materials of an image, as CycloneDX JSON: what Debian's and Python's own records in it say.

``python3 sbom.py ROOT NAME [--locked FILE] [--program PATH]...`` reads the file system below ROOT. FILE is a
lock whose wheels left only their programs there. A program of no package is listed by its SHA-256.
Needs no network; the same image gives the same text.
"""

import argparse
import hashlib
import json
import re
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import quote

LOCKED = re.compile(r"^([\w.-]+)==([\w.+!-]+)", re.MULTILINE)


def debian(root):
    """Every installed package of dpkg's database."""
    for record in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(re.findall(r"^(\S+): (.*)$", record, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={fields['Architecture']}"
            yield library(name, version, purl)


def python(root):
    """Every distribution in a virtual environment, by its metadata."""
    folders = map(str, root.glob("opt/*/lib/python3*/site-packages"))
    for found in distributions(path=list(folders)):
        yield pypi(found.metadata["Name"], found.version)


def locked(text):
    """Every requirement of a lock."""
    return [pypi(name, version) for name, version in LOCKED.findall(text)]


def pypi(name, version):
    """A package of the Python index; its name in the form that all tools compare."""
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return library(name, version, f"pkg:pypi/{plain}@{quote(version, safe='')}")


def library(name, version, purl):
    """A component that has a package."""
    return {"type": "library", "name": name, "version": version, "bom-ref": purl, "purl": purl}


def program(root, path):
    """A file of no package."""
    digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
    hashes = [{"alg": "SHA-256", "content": digest}]
    return {"type": "file", "name": f"/{path}", "bom-ref": f"file:/{path}", "hashes": hashes}


def bill(root, name, lock="", programs=()):
    """The whole document."""
    found = [*debian(root), *python(root), *locked(lock)]
    found += [program(root, path) for path in programs if (root / path).exists()]
    components = {one["bom-ref"]: one for one in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "bom-ref": name}},
        "components": [components[key] for key in sorted(components)],
    }


def main():
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("name")
    parser.add_argument("--locked", type=Path)
    parser.add_argument("--program", action="append", default=[])
    asked = parser.parse_args()
    lock = asked.locked.read_text() if asked.locked else ""
    print(json.dumps(bill(asked.root, asked.name, lock, asked.program), indent=1))


if __name__ == "__main__":
    main()
