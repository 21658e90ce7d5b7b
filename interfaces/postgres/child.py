"""A program that becomes Postgres, tied to the process that started it: `child.py PARENT UID GID PROGRAM ARGUMENT…`.

What is done here cannot be done safely between fork and exec of a process that has threads. Standard library alone.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Give up root if need be, ask for SIGINT (which is Postgres' fast shutdown) when the parent's thread ends, go on."""
    parent, uid, gid = (int(word) for word in sys.argv[1:4])
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        return  # it was gone before we had asked
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606 - our own words


if __name__ == "__main__":
    main()
