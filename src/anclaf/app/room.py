"""How much memory a process may ask for."""

import sys


def limit_memory(megabytes: float) -> None:
    """Let this process have so many millions of bytes beyond what it has, where the system can hold it to that
    (Linux); what asks for more gets a MemoryError, or ends."""
    if sys.platform != "linux":
        return
    import resource

    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        data = next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:")), 0)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data + int(megabytes * 1e6)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
