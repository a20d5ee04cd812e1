"""What the kernel forbids a process that runs a stranger's code: network, other programs, files that are not Python's.

Landlock (kernel 5.13) keeps it to reading Python, the system's libraries and its own file; a seccomp filter takes
sockets, new programs and looks into other processes away; limits bound memory, files and time. Nothing of it can be
undone by the process itself. Where the kernel has neither there is no fence, and `raise_fence` says so.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

MEGABYTE = 1 << 20
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
PR_SET_DUMPABLE = 4
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
RULE_PATH_BENEATH, LANDLOCK_CREATE_VERSION = 1, 1
EXECUTE, READ_FILE, READ_DIR = 1, 4, 8
FILES_V1 = (1 << 13) - 1
"""Every right on files of the first version: what is not granted below is refused."""
DENY, ALLOW, KILL = 0x00050000, 0x7FFF0000, 0x80000000  # SECCOMP_RET_ERRNO, _ALLOW, _KILL_PROCESS
EPERM, ENOSYS = 1, 38
CLONE_THREAD = 0x00010000
LOAD, EQUAL, SET, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF: load a word, jump if equal, jump if a bit is set, return

FORBIDDEN = {
    "x86_64": (0xC000003E, 56, (41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 62, 101, 288, 310, 311, 322, 425)),
    "aarch64": (0xC00000B7, 220, (198, 203, 202, 206, 211, 200, 201, 199, 221, 129, 117, 242, 270, 271, 281, 425)),
}
"""By machine: its audit number, clone, and the calls that are refused: socket, connect, accept, sendto, sendmsg, bind,
listen, socketpair, fork and vfork where there are such, execve, kill, ptrace, accept4, process_vm_readv and writev,
execveat, io_uring_setup."""
CLONE3 = 435

SYSTEM = ("/usr", "/lib", "/lib64", "/etc/localtime", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")


class Unfenced(Exception):
    """The kernel cannot fence a process: nothing of a stranger may run in it."""


def raise_fence(readable: Sequence[str], memory_mb: int) -> None:
    """Fence this process in for good; raise Unfenced where the kernel cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    limits = {resource.RLIMIT_AS: memory_mb * MEGABYTE, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for name, limit in {**limits, resource.RLIMIT_NOFILE: 64}.items():
        resource.setrlimit(name, (limit, limit))
    _call(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _call(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")
    _landlock(libc, [*readable, *python_folders(), *SYSTEM])
    _seccomp(libc)


def hide_memory() -> None:
    """Close this process to others of its own user: no debugger, no look at its memory or environment, no core.

    prctl(2), PR_SET_DUMPABLE: what it starts is open again, root is not kept out. Its own /proc stays readable to it.
    """
    _call(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def python_folders() -> list[str]:
    """Give the folders that Python reads its modules from."""
    return list(dict.fromkeys(filter(None, (sys.prefix, sys.base_prefix, *sys.path))))


def _landlock(libc: ctypes.CDLL, readable: Sequence[str]) -> None:
    """Let nothing but these files and folders be read, and nothing at all be written."""
    ruleset = ctypes.create_string_buffer(struct.pack("Q", FILES_V1))
    handle = _call(libc.syscall(LANDLOCK_CREATE, ruleset, ctypes.c_size_t(8), 0), "landlock")
    for name in readable:
        if not Path(name).exists():
            continue
        opened = os.open(name, os.O_PATH | os.O_CLOEXEC)
        rights = READ_FILE | EXECUTE | (READ_DIR if Path(name).is_dir() else 0)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, opened))
        _call(libc.syscall(LANDLOCK_ADD, handle, RULE_PATH_BENEATH, rule, 0), f"landlock {name}")
        os.close(opened)
    _call(libc.syscall(LANDLOCK_RESTRICT, handle, 0), "landlock")
    os.close(handle)


class _Program(ctypes.Structure):
    """A BPF program as prctl(2) takes it."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _seccomp(libc: ctypes.CDLL) -> None:
    """Refuse the calls of FORBIDDEN with EPERM; another machine's calls end the process."""
    machine = platform.machine()
    if machine not in FORBIDDEN:
        raise Unfenced(f"no list of system calls for {machine}")
    audit, clone, refused = FORBIDDEN[machine]
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, audit), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    code += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, DENY | ENOSYS)]  # glibc falls back on clone, whose flags can be seen
    for number in refused:
        code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, DENY | EPERM)]
    code += [(EQUAL, 1, 0, clone), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 16), (SET, 1, 0, CLONE_THREAD)]
    code += [(RETURN, 0, 0, DENY | EPERM), (RETURN, 0, 0, ALLOW)]
    packed = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in code))
    program = _Program(len(code), ctypes.addressof(packed))
    _call(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0), "seccomp")


def _call(result: int, what: str) -> int:
    """Give a call's result; raise Unfenced where it failed."""
    if result < 0:
        raise Unfenced(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
