#!/usr/bin/python3
"""`systemctl` of an empty machine tree, where systemd does not run: start units as their files say, as another user than root,
with the directories and credentials that they name.

Written for the Python of the tree, and only for what docs/operations/one-machine.md needs.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

DYNAMIC_UID = 61234


def unit_file(name: str) -> str:
    for folder in ("/etc/systemd/system", "/lib/systemd/system"):
        path = Path(folder, f"{name}.service")
        if path.is_file():
            return path.read_text()
    sys.exit(f"Unit {name}.service does not exist")


def values(unit: str, key: str) -> list[str]:
    return [word for line in re.findall(rf"^{key}=(.*)$", unit, re.M) for word in line.split()]


def environment(name: str, unit: str, uid: int, home: str) -> dict[str, str]:
    """Create the directories of a unit and return its environment."""
    for folder in values(unit, "StateDirectory"):
        path = Path("/var/lib", folder)
        path.mkdir(mode=0o700, exist_ok=True)
        os.chown(path, uid, uid)
    credentials = Path("/run/credentials", f"{name}.service")
    for credential in values(unit, "LoadCredential"):
        id_, _, source = credential.partition(":")
        credentials.mkdir(parents=True, exist_ok=True)
        for file in Path(source).iterdir():
            copy = credentials / f"{id_}_{file.name}"
            shutil.copyfile(file, copy)
            copy.chmod(0o400)
            os.chown(copy, uid, uid)
        os.chown(credentials, uid, uid)
    return {"PATH": "/usr/bin:/bin", "HOME": home, "CREDENTIALS_DIRECTORY": str(credentials)}


def start(name: str) -> None:
    """Start a unit. Its output is in /var/log."""
    unit = unit_file(name)
    uid, home = DYNAMIC_UID, "/"
    if "yes" not in values(unit, "DynamicUser"):
        user = pwd.getpwnam(values(unit, "User")[0])
        uid, home = user.pw_uid, user.pw_dir
    variables = environment(name, unit, uid, home)
    with Path("/var/log", f"{name}.log").open("ab") as log:
        subprocess.Popen(
            values(unit, "ExecStart"),
            env=variables,
            user=uid,
            group=uid,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def main() -> None:
    verb, *names = [word for word in sys.argv[1:] if not word.startswith("--")]
    for name in names:
        unit_file(name)
        if verb == "restart" or "--now" in sys.argv:
            start(name)


main()
