#!/usr/bin/env python3
"""`make test-xdma`: the host library and fenn-run in a guest, over the character devices of the XDMA driver.

With XDMA_KO=path/to/xdma.ko the devices are those of that unmodified kernel module, the user's own build for its kernel, and the
card is `fenn-card` (XDMA_SIDE=sim or rtl) as a PCI device of the guest over vfio-user. Without it they are those of `fenn-cuse`,
an emulation in the guest. The first line says which.

The guest is QEMU without KVM, Debian 12's kernel and a root file system made here. Nothing is installed: what is fetched is
unpacked below target/guest. Where a part is missing or cannot be had it says `SKIP: ` and why, and ends with 0; it ends with 1
when a check fails, or the guest does not come to its end within its time.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
import initramfs  # noqa: E402
import packages  # noqa: E402
from packages import Unavailable  # noqa: E402

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
CACHE = TOP / "target/guest"
BINARIES = TOP / "target/release"

# After so long the driver gives up a transfer: its own 10 s are lowered so that the checks take less.
DRIVER_SECONDS = 3
# The guest must have ended by then, whatever happens: it has no KVM and may share its processors.
GUEST_SECONDS = 900
# DRAM of the card behind vfio-user.
CARD_BYTES = 64 << 20

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /run
stty -F /dev/ttyS1 raw -echo
stty -F /dev/ttyS2 raw -echo
# Through a pipe, so that nobody draws a progress bar.
sh /steps 2>&1 </dev/null | cat >/dev/ttyS1
poweroff -f
"""

STEPS = """
# Runs a command and says how it ended.
step() {
    "$@"
    echo "= $? $*"
}

. /setup
step fenn-run list
step fenn-run info --device xdma0
step mem_load
step mem_compare
step network
step fenn-guest-test --faults "$FAULTS" --reset /sbin/reset-card --timeout %(seconds)d --alignment "$ALIGNMENT"
step no_kernel_complaint
echo end
"""

COMMON = """
mem_load() {
    # Bytes that are the same each time and differ from place to place.
    seq 1 9999999 | head -c 33554432 >/run/weights
    fenn-run mem load --device xdma0 dram:0 /run/weights --verify checksum
}
mem_compare() {
    fenn-run mem save --device xdma0 dram:0:33554432 /run/back && cmp /run/weights /run/back && rm /run/weights /run/back
}
network() {
    # The simulator by itself, with no card, is what the card's answers are compared with.
    set -- run /network.elf --data /spikes.npy --labels /labels.npy --limit 20
    fenn-run "$@" --outputs /run/simulator.csv >/dev/null || return
    fenn-run "$@" --device xdma0 --outputs /run/card.csv || return
    cmp /run/simulator.csv /run/card.csv
}
wait_for() {
    for _ in $(seq 300); do
        [ -e "$1" ] && return 0
        sleep 0.1
    done
    echo "$1 does not come"
    return 1
}
"""

CUSE_SETUP = COMMON + """
FAULTS=/dev/xdma0_faults
ALIGNMENT=64
insmod /modules/fuse.ko
insmod /modules/cuse.ko
fenn-cuse --timeout %(seconds)d --alignment $ALIGNMENT >/run/cuse.out 2>/run/cuse.err &
for device in user h2c_0 c2h_0 events_0 faults; do step wait_for /dev/xdma0_$device; done
no_kernel_complaint() {
    # What would have been a crash of the real driver.
    ! grep BUG /run/cuse.err && ! dmesg | grep -E 'BUG:|Oops|WARNING:'
}
"""
CUSE_RESET = """#!/bin/sh
exec true
"""

DRIVER_SETUP = COMMON + """
FAULTS=/dev/ttyS2
ALIGNMENT=%(alignment)d
cat >/run/load <<'END'
insmod /modules/xdma.ko h2c_timeout=%(seconds)d c2h_timeout=%(seconds)d || exit
END
step sh /run/load
for device in user h2c_0 c2h_0 events_0; do step wait_for /dev/xdma0_$device; done
no_kernel_complaint() {
    ! dmesg | grep -E 'BUG:|Oops|WARNING:|general protection'
}
"""
# As root would: the module goes, the function is reset, the module comes back.
DRIVER_RESET = """#!/bin/sh
for folder in /sys/bus/pci/devices/*; do
    [ "$(cat $folder/vendor)" = 0x10ee ] && card=$folder
done
rmmod xdma || exit
echo 1 >$card/reset || exit
sh /run/load || exit
for _ in $(seq 300); do
    [ -e /dev/xdma0_user ] && exit 0
    sleep 0.1
done
exit 1
"""


def vermagic(module):
    """The kernel release for which a module was built, as it says itself."""
    try:
        data = Path(module).read_bytes()
    except OSError as error:
        raise Unavailable(f"XDMA_KO={module}: {error.strerror}") from None
    found = re.search(rb"\0vermagic=([^ \0]+)", data)
    if found is None:
        raise Unavailable(f"XDMA_KO={module} is no kernel module, or a compressed one")
    release = found.group(1).decode("ascii", "replace")
    if not re.fullmatch(r"6\.1\.[0-9]+-[0-9]+-amd64", release):
        raise Unavailable(f"XDMA_KO={module} is for the kernel {release}, and the guest's is one of Debian 12's for amd64")
    return release


def binary(name):
    """A program of ours, built before; stripped where the machine can, which makes the guest's memory smaller."""
    path = BINARIES / name
    if not path.is_file():
        raise Unavailable(f"{path} is not built")
    if shutil.which("strip") is None:
        return path
    small = CACHE / "stripped" / name
    small.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["strip", "-o", str(small), str(path)], check=True)
    return small


def root_file_system(guest, release, module, alignment):
    """What the guest starts from."""
    archive = initramfs.Archive()
    for folder in ("proc", "sys", "dev", "run", "tmp", "sbin"):
        archive.folder(folder)
    archive.file("bin/busybox", (guest / "busybox").read_bytes())
    values = {"seconds": DRIVER_SECONDS, "alignment": alignment}
    archive.file("init", INIT.encode())
    archive.file("steps", (STEPS % values).encode())
    setup, reset = (DRIVER_SETUP, DRIVER_RESET) if module else (CUSE_SETUP, CUSE_RESET)
    archive.file("setup", (setup % values).encode())
    archive.file("sbin/reset-card", reset.encode())
    for name in ["fenn-run", "fenn-guest-test"] + ["fenn-cuse"] * (module is None):
        archive.program(f"bin/{name}", binary(name))
    if module:
        archive.file("modules/xdma.ko", Path(module).read_bytes())
    else:
        for name in ("fuse", "cuse"):
            path = guest / f"lib/modules/{release}/kernel/fs/fuse/{name}.ko"
            archive.file(f"modules/{name}.ko", path.read_bytes())
    for name in ("network.elf", "spikes.npy", "labels.npy"):
        path = TOP / "out/test-xdma" / name
        if not path.is_file():
            raise Unavailable(f"{path} is not there; `make test-xdma` makes it")
        archive.file(name, path.read_bytes())
    archive.write(CACHE / "initramfs")
    return CACHE / "initramfs"


class CardProgram:
    """`fenn-card`, which the guest sees as a PCI device, and whom it tells of faults over a serial line."""

    def __init__(self, folder, side):
        program = BINARIES / "fenn-card"
        if not program.is_file():
            raise Unavailable(f"{program} is not built")
        self.socket = folder / "card"
        command = [str(program), "--socket", str(self.socket), "--side", side, "--until-eof"]
        if side == "sim":
            command += ["--bytes", str(CARD_BYTES)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        first = self.process.stdout.readline()
        if not first:
            raise Unavailable(f"fenn-card --side {side} does not start (code {self.process.wait()})")
        print(f"card: {first.strip()}")

    def tell(self, command):
        """Says something and waits until it was heard: the count of transfers is asked for behind it."""
        self.process.stdin.write(f"{command}\ntransfers\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() != ""

    def relay(self, path):
        """Passes lines of the guest's on, each with an answer, until QEMU is gone."""
        import socket

        line = socket.socket(socket.AF_UNIX)
        line.connect(str(path))

        def serve():
            with line, line.makefile("rw", newline="\n") as file:
                try:
                    for text in file:
                        heard = self.tell(text.strip())
                        file.write("ok\n" if heard else "the card's program has ended\n")
                        file.flush()
                except OSError:
                    # The guest is gone, and with it whoever would want an answer.
                    return

        threading.Thread(target=serve, daemon=True).start()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def wait_for_path(path, process):
    for _ in range(200):
        if path.exists():
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Unavailable(f"{path.name} does not come into being")


class Verdict:
    """What the guest said, line by line."""

    def __init__(self):
        self.failures = []
        self.ended = False
        self.passed = 0

    def hear(self, line):
        print(f"guest: {line}", flush=True)
        step = re.fullmatch(r"= (\d+) (.*)", line)
        if step and step.group(1) != "0":
            self.failures.append(f"{step.group(2)} ended with {step.group(1)}")
        if line.startswith("FAILED "):
            self.failures.append(line)
        if line.startswith("ok "):
            self.passed += 1
        if line == "end":
            self.ended = True


def boot(command, root, kernel, archive, card, folder, seconds):
    """Runs the guest until it ends, and gives what it said."""
    faults = folder / "faults"
    qemu = [
        *command, "-L", str(root / "usr/share/qemu"), "-L", str(root / "usr/share/seabios"),
        "-machine", "q35,memory-backend=ram", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1G",
        "-object", "memory-backend-memfd,id=ram,size=1G,share=on",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-kernel", str(kernel), "-initrd", str(archive),
        "-append", "console=ttyS0 8250.nr_uarts=4 panic=-1 quiet",
        "-serial", f"file:{CACHE / 'console.log'}", "-serial", "stdio",
        "-chardev", f"socket,id=faults,path={faults},server=on,wait=off", "-serial", "chardev:faults",
    ]  # fmt: skip
    if card:
        address = f'{{"path": "{card.socket}", "type": "unix"}}'
        qemu += ["-device", f'{{"driver": "vfio-user-pci", "socket": {address}}}']
    process = subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    verdict = Verdict()
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    try:
        wait_for_path(faults, process)
        if card:
            card.relay(faults)
        for line in process.stdout:
            verdict.hear(line.decode("utf-8", "replace").rstrip())
        code = process.wait()
        if code != 0:
            verdict.failures.append(f"QEMU ended with {code}")
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
    if not verdict.ended:
        verdict.failures.append(f"the guest did not come to its end; see {CACHE / 'console.log'}")
    return verdict


def test(module, side, seconds):
    """The whole test; whether it has passed."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable("the guest is for x86-64 Linux")
    release = vermagic(module) if module else packages.KERNEL_RELEASE
    CACHE.mkdir(parents=True, exist_ok=True)
    if module:
        print(f"devices: the kernel module {module} for {release}, unmodified; card: fenn-card --side {side} over vfio-user")
    else:
        print(f"devices: an emulation by CUSE in the guest (no XDMA_KO, a module for {release}, was given)")
    root, command, version = packages.qemu(CACHE)
    guest = packages.guest(CACHE, release)
    print(f"{version}; kernel {release}", flush=True)
    with tempfile.TemporaryDirectory(prefix="fenn-") as folder:
        card = CardProgram(Path(folder), side) if module else None
        try:
            archive = root_file_system(guest, release, module, 1)
            began = time.monotonic()
            verdict = boot(command, root, guest / "vmlinuz", archive, card, Path(folder), seconds)
        finally:
            if card:
                card.end()
    for failure in verdict.failures:
        print(f"test-xdma: {failure}")
    kind = "the driver itself" if module else "an emulation of its devices"
    print(f"test-xdma: {verdict.passed} checks passed on {kind}, {len(verdict.failures)} failures, "
          f"{time.monotonic() - began:.0f} s in the guest")  # fmt: skip
    return not verdict.failures and verdict.passed > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default=os.environ.get("XDMA_KO") or None, help="the kernel module (XDMA_KO)")
    parser.add_argument("--side", default=os.environ.get("XDMA_SIDE") or "sim", choices=["sim", "rtl"],
                        help="what the card's ports lead to, with a module (XDMA_SIDE)")  # fmt: skip
    parser.add_argument("--seconds", type=int, default=GUEST_SECONDS, help="the guest's time")
    arguments = parser.parse_args()
    try:
        return 0 if test(arguments.module, arguments.side, arguments.seconds) else 1
    except Unavailable as error:
        print(f"SKIP: {error}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
