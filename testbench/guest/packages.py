"""Debian packages for `make test-xdma`, unpacked below a folder of ours and installed nowhere.

They come through apt, with lists and a cache of their own, so apt checks what it fetches against the archive's signed index.
Those that decide what a run of the test means are pinned here by version and SHA-256 as well. The archive and its keys are
those that this machine's apt has.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

# QEMU 11 has a vfio-user client; Debian 12's own has none. It needs Debian 13's libraries, which come with it.
QEMU = {
    "qemu-system-x86": ("1:11.1.3+ds-1~bpo13+1", "447decc4b3c245edc1d0940bdf97c87e07b2e3bd4b24c4d0c7155d860d52bd5f"),
    "qemu-system-common": ("1:11.1.3+ds-1~bpo13+1", "9968561fc06b0f8677fee57ce6a4238bdd114912ca77941443ce8c99bed93793"),
    "qemu-system-data": ("1:11.1.3+ds-1~bpo13+1", "cae10ea58330bdaa62ce290e20ca43f91b0a3757777644833f45700ab7b6c31d"),
    "seabios": ("1.17.0-1~bpo13+1", "1a335215bbdb076e8fe8fc47c2985dcfa2cc4506e5c27697733cc0a4125dd1e9"),
}
# Debian 12's last kernel in its main archive, and a shell for the guest.
KERNEL_RELEASE = "6.1.0-50-amd64"
KERNEL = ("6.1.176-1", "7b5597492a0a65aee61985a492e6bcc3f2cde830072a0e3b3d8c7e1b90279bd3")
BUSYBOX = ("1:1.35.0-4+deb12u1+b1", "3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744")

APT_SECONDS = 600


class Unavailable(Exception):
    """Something cannot be had on this machine; the text says what and why."""


def run(command, seconds=APT_SECONDS):
    """The standard output of a command, or `Unavailable` with what it said last."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    except FileNotFoundError:
        raise Unavailable(f"the program {command[0]} is not there") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} took longer than {seconds} s") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise Unavailable(f"{' '.join(map(str, command[:1]))}: {'; '.join(said[-3:])}")
    return done.stdout


def archives():
    """Where this machine's apt finds Debian: the archive, and its security updates if it has any."""
    rows = run(["apt-get", "indextargets", "--format", "$(REPO_URI)\t$(ORIGIN)\t$(LABEL)"]).splitlines()
    found = {"Debian": None, "Debian-Security": None}
    for uri, origin, label in (row.split("\t") for row in rows):
        # Before the first `apt-get update` there is no origin, but the path says it.
        kind = label if origin == "Debian" else {"debian": "Debian"}.get(uri.rstrip("/").rsplit("/", 1)[-1])
        if kind in found and found[kind] is None:
            found[kind] = uri
    if found["Debian"] is None:
        raise Unavailable("this machine's apt has no Debian archive among its sources")
    return found["Debian"], found["Debian-Security"]


class Apt:
    """An apt of our own below `folder`, which sees these suites and no installed package."""

    def __init__(self, folder, sources, preferred=None):
        keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        if not keys.is_file():
            raise Unavailable(f"{keys} is not there (package debian-archive-keyring)")
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "none"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")
        lines = [f"deb [arch=amd64 signed-by={keys}] {uri} {suite} main\n" for uri, suite in sources]
        (folder / "sources.list").write_text("".join(lines))
        preferences = ""
        if preferred:
            packages, suite = preferred
            preferences = f"Package: {' '.join(packages)}\nPin: release n={suite}\nPin-Priority: 900\n"
        (folder / "preferences").write_text(preferences)
        self.config = folder / "apt.conf"
        self.config.write_text(
            f'Dir::Etc::sourcelist "{folder}/sources.list";\n'
            f'Dir::Etc::sourceparts "{folder}/none";\n'
            f'Dir::Etc::preferences "{folder}/preferences";\n'
            f'Dir::Etc::preferencesparts "{folder}/none";\n'
            f'Dir::State "{folder}/state";\n'
            f'Dir::State::status "{folder}/status";\n'
            f'Dir::Cache "{folder}/cache";\n'
            'APT::Sandbox::User "";\n'
            'Acquire::Languages "none";\n'
            'Acquire::Retries "2";\n'
        )
        self("update")

    def __call__(self, *words):
        return run(["apt-get", "-c", str(self.config), "--quiet", "--assume-yes", *words])

    def fetch(self, pins):
        """The packages `pins` and all that they need, as files. The pinned ones are what was pinned, or it is an error."""
        wanted = [f"{name}={version}" for name, (version, _) in pins.items()]
        self("install", "--download-only", "--no-install-recommends", *wanted)
        return self.checked(pins, sorted((self.folder / "cache/archives").glob("*.deb")))

    def fetch_alone(self, pins):
        """The packages `pins`, without what they need."""
        folder = self.folder / "cache/alone"
        folder.mkdir(parents=True, exist_ok=True)
        here = Path.cwd()
        os.chdir(folder)
        try:
            self("download", *(f"{name}={version}" for name, (version, _) in pins.items()))
        finally:
            os.chdir(here)
        return self.checked(pins, sorted(folder.glob("*.deb")))

    @staticmethod
    def checked(pins, files):
        for name, (version, digest) in pins.items():
            file = next((file for file in files if file.name.startswith(f"{name}_")), None)
            if file is None:
                raise Unavailable(f"apt did not bring the package {name} {version}")
            found = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest is not None and found != digest:
                raise Unavailable(f"{file.name} has the SHA-256 {found}, not the pinned {digest}")
        return files


def unpack(file, into, members=None):
    """The files of a package, or those of them that are named."""
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE)
    command = ["tar", "--extract", "--file=-", f"--directory={into}", "--no-same-owner", *(members or [])]
    written = subprocess.run(command, stdin=reader.stdout, capture_output=True, text=True)
    reader.stdout.close()
    if reader.wait() not in (0, -13) or written.returncode != 0:
        raise Unavailable(f"{file.name} cannot be unpacked: {written.stderr.strip() or 'not a package'}")


def made_once(folder, pins, make):
    """`folder`, filled by `make` unless it holds just these pins already."""
    stamp = folder / "pins"
    if stamp.is_file() and stamp.read_text() == repr(pins):
        return folder
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    make(beside)
    (beside / "pins").write_text(repr(pins))
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return folder


def qemu(cache):
    """A folder with QEMU and its libraries, and the command that starts it."""
    libraries = "usr/lib/x86_64-linux-gnu"

    def make(folder):
        archive, _ = archives()
        suites = [(archive, suite) for suite in ("trixie", "trixie-backports")]
        apt = Apt(cache / "apt-qemu", suites, (list(QEMU), "trixie-backports"))
        for file in apt.fetch(QEMU):
            unpack(file, folder)

    root = made_once(cache / "qemu", QEMU, make)
    # With their own loader, since this machine's C library may be older than theirs.
    loader = [str(root / libraries / "ld-linux-x86-64.so.2"), "--library-path", str(root / libraries)]
    command = [*loader, str(root / "usr/bin/qemu-system-x86_64")]
    version = run([*command, "--version"]).splitlines()[0]
    return root, command, version


def guest(cache, release):
    """A folder with `vmlinuz`, `busybox` and the modules of the kernel `release`."""
    kernel = KERNEL if release == KERNEL_RELEASE else (None, None)
    pins = {f"linux-image-{release}": kernel, "busybox-static": BUSYBOX}
    modules = f"./lib/modules/{release}/kernel"

    def make(folder):
        archive, security = archives()
        suites = [(archive, "bookworm")] + [(security, "bookworm-security")] * (security is not None)
        apt = Apt(cache / "apt-guest", suites)
        named = dict(pins)
        if kernel[0] is None:
            # The module says which kernel it is for; its version is what the archive has of it.
            try:
                shown = run(["apt-cache", "-c", str(apt.config), "show", f"linux-image-{release}"])
            except Unavailable:
                raise Unavailable(f"Debian 12's archive has no kernel {release} any more") from None
            version = next(line.split()[1] for line in shown.splitlines() if line.startswith("Version:"))
            named[f"linux-image-{release}"] = (version, None)
        for file in apt.fetch_alone(named):
            if file.name.startswith("busybox"):
                unpack(file, folder, ["./bin/busybox"])
            elif file.name.startswith(f"linux-image-{release}_"):
                unpack(file, folder, [f"./boot/vmlinuz-{release}", f"{modules}/fs/fuse", f"{modules}/drivers/vfio"])
        (folder / f"boot/vmlinuz-{release}").rename(folder / "vmlinuz")
        (folder / "bin/busybox").rename(folder / "busybox")

    return made_once(cache / f"guest-{release}", pins, make)
