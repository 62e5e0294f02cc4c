"""A root file system for a guest, as the kernel unpacks it: a cpio archive in its "newc" form, written here.

Files keep their bytes and nothing else of what they were: owner root, time 0, so the same files make the same archive.
"""

import subprocess
from pathlib import Path

from packages import Unavailable


class Archive:
    """What is to be in it. Folders come by themselves."""

    def __init__(self):
        self.entries = {}

    def folder(self, path):
        """An empty folder, and those that it is in."""
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            self.entries.setdefault("/".join(parts[:count]), (0o040755, b""))

    def file(self, path, data, mode=0o755):
        """A file with these bytes."""
        path = path.strip("/")
        if "/" in path:
            self.folder(path.rsplit("/", 1)[0])
        self.entries[path] = (0o100000 | mode, data)

    def link(self, path, target):
        """A symbolic link."""
        path = path.strip("/")
        if "/" in path:
            self.folder(path.rsplit("/", 1)[0])
        self.entries[path] = (0o120777, target.encode())

    def program(self, path, source):
        """A program of this machine with the libraries and the loader that it needs, each where it looks for them."""
        self.file(path, Path(source).read_bytes())
        for library in libraries(source):
            self.file(library, Path(library).read_bytes())

    def write(self, to):
        """The archive, as a file."""
        parts = []
        for number, (name, (mode, data)) in enumerate(sorted(self.entries.items()), 1):
            parts.append(entry(number, name, mode, data))
        parts.append(entry(0, "TRAILER!!!", 0, b""))
        Path(to).write_bytes(b"".join(parts))


def entry(inode, name, mode, data):
    """One member: a header of thirteen hexadecimal numbers, the name, the data, each padded to words."""
    name = name.encode() + b"\0"
    links = 2 if mode & 0o040000 == 0o040000 else 1
    fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return padded(header + name) + padded(data)


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def libraries(program):
    """The absolute paths of what the loader would load for a program, itself included."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    if "not a dynamic executable" in done.stdout + done.stderr:
        return []
    if done.returncode != 0 or "not found" in done.stdout:
        raise Unavailable(f"the libraries of {program} cannot be found: {(done.stderr or done.stdout).strip()}")
    words = [word for line in done.stdout.splitlines() for word in line.split()]
    return sorted({word for word in words if word.startswith("/")})
