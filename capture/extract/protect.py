"""What a child may not do, switched on before it reads a byte.

`prepare` runs once in the server that forks the children (pool.py), `Cage.lock` in every child. A
protection the machine does not offer is left out and reported as off; limits on memory, CPU time and
files are part of every POSIX system and a failure to set them ends the child.

Constants are those of the Linux kernel's user API (linux/landlock.h, linux/prctl.h).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOBODY = 65_534
_LINUX = sys.platform.startswith("linux")

# Ways out of the process, ways to other processes, and ways to write.
_DENIED = (
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "kill", "pidfd_open",
    "pidfd_send_signal", "pidfd_getfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf",
    "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "mount", "umount2", "unshare",
    "setns", "chroot", "pivot_root", "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir",
    "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "truncate", "chmod",
    "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "memfd_create", "shmget", "msgget",
)
_EXEC = ("execve", "execveat")
_CLONE_THREAD = 0x0001_0000
_EPERM, _ENOSYS = 1, 38

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_READ = _READ_FILE | _READ_DIR
_ACCESS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_WRITES = ((1 << 16) - 1) & ~(_READ | 1)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers for `setrlimit`: bytes of address space, seconds of CPU (for life, not per file)."""

    memory_bytes: int
    cpu_seconds: int
    open_files: int = 64


@dataclass(slots=True)
class Cage:
    """The protections this machine offers, prepared once and locked in every child."""

    filters: dict[bool, Any]
    """Seccomp filters by "may execute a program"; empty when libseccomp is missing."""
    rulesets: dict[bool, int]
    """Landlock ruleset descriptors by "may execute a program"; empty when the kernel has none."""
    leave_root: bool = True
    """Whether a child of root becomes `nobody`; not when `nobody` could not read Python's own library."""

    def lock(self, bounds: Bounds, *, may_execute: bool = False) -> dict[str, bool]:
        """Lock the calling process for good; return which protections are on, by name.

        Raises `OSError` or `ValueError` when a resource limit cannot be set.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        _limit(resource.RLIMIT_AS, bounds.memory_bytes)
        _limit(resource.RLIMIT_CPU, bounds.cpu_seconds)
        _limit(resource.RLIMIT_FSIZE, 0)
        _limit(resource.RLIMIT_NOFILE, bounds.open_files)
        _limit(resource.RLIMIT_CORE, 0)
        user = _become_nobody() if self.leave_root else os.geteuid() != 0
        _limit(resource.RLIMIT_NPROC, 0)
        privileges = _LINUX and _give_up_privileges(libc)
        landlock = (may_execute in self.rulesets
                    and libc.syscall(_LANDLOCK_RESTRICT, self.rulesets[may_execute], 0) == 0)
        seccomp = may_execute in self.filters and _load(self.filters[may_execute])
        return {"limits": True, "user": user, "no_new_privs": privileges, "landlock": landlock,
                "seccomp": seccomp}


def _give_up_privileges(libc: ctypes.CDLL) -> bool:
    """End with the server, let nobody look into the memory, and never gain a privilege again."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def prepare() -> Cage:
    """Build filters and rulesets; slow and file-touching, so done once before any limit is set."""
    return Cage(filters=_filters(), rulesets=_rulesets(),
                leave_root=all(_open_to_all(Path(name)) for name in _library_folders()))


def allow_cpu(seconds: float) -> None:
    """Let the calling process use `seconds` more of CPU time, below its hard limit."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard) if hard > 0 else soft, hard))


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def _become_nobody() -> bool:
    """Leave root for the user `nobody`; true when the process is an ordinary user afterwards."""
    if os.geteuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except PermissionError:  # root of a container without CAP_SETUID
        return False
    return True


def _filters() -> dict[bool, Any]:
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError):  # not Linux, or libseccomp2 is not installed
        return {}
    return {False: _filter(pyseccomp, (*_DENIED, *_EXEC)), True: _filter(pyseccomp, _DENIED)}


def _filter(seccomp: Any, denied: Sequence[str]) -> Any:
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(_EPERM)
    for name in denied:
        _rule(rules, refuse, name)
    for name, argument in (("open", 1), ("openat", 2)):
        for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT):
            _rule(rules, refuse, name, seccomp.Arg(argument, seccomp.MASKED_EQ, flag, flag))
    _rule(rules, refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
    for name in ("clone3", "openat2"):  # their flags lie in memory, where a filter cannot look
        _rule(rules, seccomp.ERRNO(_ENOSYS), name)
    return rules


def _rule(rules: Any, action: int, name: str, *arguments: Any) -> None:
    try:
        rules.add_rule(action, name, *arguments)
    except (OSError, RuntimeError, ValueError):
        return  # this processor or this libseccomp does not know the call; the others still hold


def _load(rules: Any) -> bool:
    try:
        rules.load()
    except (OSError, RuntimeError):
        return False
    return True


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # asked for beside _pack_ from Python 3.14 on
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _rulesets() -> dict[bool, int]:
    if not _LINUX:
        return {}
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if abi < 1:
        return {}
    everything = _ACCESS_BY_ABI[min(abi, 5)]
    rulesets = {}
    for may_execute, handled in ((False, everything), (True, everything & _WRITES)):
        attr = _RulesetAttr(handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
        size = 8 if abi < 4 else 16 if abi < 6 else 24
        ruleset = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(attr), size, 0)
        if ruleset < 0:
            return {}
        if not may_execute:
            _allow_libraries(libc, ruleset)
        rulesets[may_execute] = ruleset
    return rulesets


def _allow_libraries(libc: ctypes.CDLL, ruleset: int) -> None:
    """Let library folders be read: a module or codec loaded late must not make a part unreadable."""
    for name in _library_folders():
        try:
            folder = os.open(name, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        rule = _PathBeneath(_READ, folder)
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(rule), 0)
        os.close(folder)


def _library_folders() -> list[str]:
    names = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    names.add(str(Path(__file__).resolve().parents[1]))
    return sorted(filter(None, names))


def _open_to_all(folder: Path) -> bool:
    """Whether every user may read `folder`: a module loaded late would be missing otherwise."""
    try:
        path = folder.resolve(strict=True)
        return bool(path.stat().st_mode & 0o004) and all(step.stat().st_mode & 0o001 for step in (path, *path.parents))
    except OSError:
        return False
