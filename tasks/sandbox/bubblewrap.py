"""The command line that runs a program under bubblewrap, and whether it works on this machine.

The program sees /usr without its Python packages, a Python at /python, an empty /tmp in memory and
a /proc of its own processes; no network, no environment, no capability, and no other file but those
it is given. As root it runs as a user of its own, since Linux does not count the processes of root;
as an ordinary user, in a user namespace.
"""

import functools
import itertools
import os
import random
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.sandbox.limits import Limits

PYTHON = f"/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
"""The interpreter inside."""
PACKAGES = "/packages"
"""Where `with_packages` puts the installed packages."""
_SITE = f"/python/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

_NAMESPACES = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
_FIRST_USER, _NUM_USERS = 20_000, 40_000
_PROBE_S = 30.0
_FORKER_TMP_MB = 1
_users = itertools.count(random.SystemRandom().randrange(_NUM_USERS))


def command_line(
    command: Sequence[str],
    limits: Limits,
    *,
    files: Mapping[str, int] | None = None,
    folders: Mapping[str, str] | None = None,
    with_packages: bool = False,
    status_fd: int | None = None,
) -> list[str]:
    """The arguments that run a command in the sandbox.

    Args:
        command: program and arguments, as they are inside.
        limits: what it may use.
        files: from a path inside to a descriptor that its content is read from.
        folders: from a path inside to a folder of this machine that can be read there.
        with_packages: whether the installed Python packages can be read; never for programs that
            tests are hidden from, since packages ship tests and solutions.
        status_fd: descriptor to which bubblewrap says whether the command was started.
    """
    places = _places(files or {}, folders or {}, with_packages, limits.file_mb)
    return _command_line(command, limits, places, status_fd, as_root=os.geteuid() == 0)


@functools.cache
def sandbox_fault() -> str | None:
    """Say why programs cannot be run in a sandbox on this machine, and what to do; else None."""
    for name, package in (
        ("bwrap", "bubblewrap"),
        ("prlimit", "util-linux"),
        ("setpriv", "util-linux"),
    ):
        if shutil.which(name) is None:
            return (
                f"expected {name} to run programs in a sandbox, there is none: install it "
                f"(Debian: apt install {package})"
            )
    try:
        done = subprocess.run(
            command_line([PYTHON, "-I", "-S", "-c", "print(6 * 7)"], Limits()),
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"expected bwrap to start a program, got {error}"
    if done.returncode == 0 and done.stdout == b"42\n":
        return None
    said = done.stderr.decode(errors="replace").strip()[-300:] or f"exit status {done.returncode}"
    return (
        f"expected bwrap to make namespaces, got {said!r}: allow user namespaces "
        "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone or "
        "kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp profile)"
    )


def _command_line(
    command: Sequence[str],
    limits: Limits,
    places: Sequence[str],
    status_fd: int | None,
    *,
    as_root: bool,
) -> list[str]:
    user = next_user()
    line = [*_beginning(), "--die-with-parent"]
    if as_root:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            line += ["--cap-add", capability]
    else:
        line += ["--unshare-user", "--uid", str(user), "--gid", str(user)]
    line += places
    if status_fd is not None:
        line += ["--json-status-fd", str(status_fd)]
    line += ["--", "/usr/bin/prlimit", *_resources(limits), "--", "/usr/bin/setpriv"]
    if as_root:
        line += ["--reuid", str(user), "--regid", str(user), "--clear-groups"]
        line += ["--bounding-set=-all"]
    return [*line, "--inh-caps=-all", "--no-new-privs", "--", *command]


def forker_line(
    arguments: Sequence[str], *, files: Mapping[str, int], with_packages: bool
) -> list[str]:
    """The arguments that start an interpreter which may make namespaces for what it forks.

    Args:
        arguments: of the interpreter.
        files: see `command_line`, as `with_packages`.
        with_packages: see there.
    """
    as_root = os.geteuid() == 0
    line = _beginning()
    if not as_root:
        line += ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "CAP_SETFCAP"]
    for capability in ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        line += ["--cap-add", capability]
    line += _places(files, {}, with_packages, _FORKER_TMP_MB)
    return [*line, "--", PYTHON, "-I", "-S", *arguments]


def next_user() -> int:
    """The number of a user that has run nothing for long."""
    return _FIRST_USER + next(_users) % _NUM_USERS


def _beginning() -> list[str]:
    """Namespaces, no environment but ours, and no capability unless one is added."""
    line = [shutil.which("bwrap") or "bwrap", *_NAMESPACES, "--unshare-cgroup-try"]
    line += ["--new-session", "--clearenv", "--cap-drop", "ALL"]
    for name, value in _ENVIRONMENT.items():
        line += ["--setenv", name, value]
    return line


def _places(
    files: Mapping[str, int], folders: Mapping[str, str], with_packages: bool, tmp_mb: int
) -> list[str]:
    """All that can be seen, read-only but for /tmp."""
    line = [*_system(), *_python(with_packages), "--proc", "/proc", "--dev", "/dev"]
    line += ["--remount-ro", "/dev"]
    line += ["--perms", "1777", "--size", str(tmp_mb << 20), "--tmpfs", "/tmp"]
    for path, folder in folders.items():
        line += ["--ro-bind", folder, path]
    for path, descriptor in files.items():
        line += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    return [*line, "--remount-ro", "/", "--chdir", "/tmp"]


_ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def _resources(limits: Limits) -> list[str]:
    return [f"--{name}={soft}:{hard}" for name, (soft, hard) in limits.resources.items()]


@functools.cache
def _system() -> tuple[str, ...]:
    """The system's programs and libraries, without packages of Python."""
    line = ["--ro-bind", "/usr", "/usr"]
    for folder in ("bin", "lib", "lib64", "lib32"):
        place = Path("/", folder)
        if place.is_symlink():
            line += ["--symlink", f"usr/{folder}", str(place)]
        elif place.is_dir():
            line += ["--ro-bind", str(place), str(place)]
    for file in ("/etc/ld.so.cache", "/etc/alternatives"):
        line += ["--ro-bind-try", file, file]
    return (*line, *_hidden("/usr/local"), *_hidden("/usr/lib/python3/dist-packages"))


@functools.cache
def _python(with_packages: bool) -> tuple[str, ...]:
    """The interpreter that runs this, at another place, without its packages or with them."""
    home = sys.base_prefix
    line = ["--ro-bind", home, "/python"]
    for folder in ("local", "lib/python3/dist-packages"):
        if (Path(home) / folder).is_dir():
            line += ["--tmpfs", f"/python/{folder}", "--remount-ro", f"/python/{folder}"]
    if not with_packages and (Path(home) / Path(_SITE).relative_to("/python")).is_dir():
        line += ["--tmpfs", _SITE, "--remount-ro", _SITE]
    if with_packages:
        line += ["--ro-bind", sysconfig.get_paths()["purelib"], "/packages"]
    return tuple(line)


def _hidden(folder: str) -> tuple[str, ...]:
    is_there = Path(folder).is_dir()
    return ("--tmpfs", folder, "--remount-ro", folder) if is_there else ()
