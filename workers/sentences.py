"""One sentence for people about what a broker, a disk, a network, Orthanc or a file did: its reason, and what to do.

An error without a sentence is a mistake of ours and keeps its traceback. No sentence holds a password, the broker's
address or text of a stranger. Nothing is imported for this: types are recognized by the names of their modules.
"""

import errno
import os
import re
import ssl
import sys
from collections.abc import Iterator
from traceback import walk_tb

__all__ = ["OWN", "network_reason", "sentence_of"]

#: Errors whose message was written for people, by the module that defines them.
#: A module that was never imported cannot have raised anything, so none is imported for this.
OWN = {
    "mskmodel.data.patient_key": ("SiteSecretError",),
    "mskmodel.data.snapshot": ("SnapshotError",),
    "mskmodel.network.weights": ("WeightsUnavailable",),
    "mskmodel.phantoms.requirements": ("RenderingUnavailable",),
    "mskmodel.radiograph": ("NotClassifiable",),
    "mskmodel.registry.decision": ("NotANumber",),
    "mskmodel.registry.version": ("RegistryError",),
    "mskmodel.tables.problems": ("TableError",),
    "mskmodel.training.loop": ("Diverged",),
    "workers.access.errors": ("AccessError",),
    "workers.jobs.request": ("InvalidRequest",),
    "workers.metadata.truth": ("TruthError",),
    "workers.pacs.http": ("OrthancError",),
    "workers.pacs.send": ("SendError",),
    "workers.records.schema": ("RecordsError",),
    "workers.results.destinations": ("UnknownDestination",),
    "workers.results.study": ("StudyError",),
    "workers.settings": ("InvalidSetting", "MissingSetting"),
    "workers.stack.errors": ("StackError",),
    "workers.supervision.service": ("ServiceError",),
    "workers.surroundings.finding": ("UnfitSurroundings",),
    "workers.terminal.gateway": ("GatewayError",),
    "workers.viewer.package": ("ViewerError",),
    "workers.worker": ("MixedQueues", "ModelUnavailable", "WorkerGaveUp"),
}

#: What a broker says, and what is said of it. Matched with the error's type and text; the first match counts.
_BROKER = (
    (r"ReadOnly|READONLY", "refuses writes: it is a read-only replica, as after a failover; name the primary"),
    (r"MISCONF", "refuses writes: it cannot save its data, mostly because its disk is full; make room there"),
    (r"OutOfMemory|OOM", "refuses writes: its memory is full (maxmemory); make room, or raise it"),
    (r"UNBLOCKED", "has become a replica, as in a failover"),
    (r"NOREPLICAS", "refuses writes: too few of its replicas are connected (min-replicas-to-write)"),
    (r"permissions to run the '(?P<command>[\w|]+)'", "does not let its user run {command}: allow it (ACL SETUSER)"),
    (r"NOPERM|No ?[Pp]ermission|ACL failure", "does not let its user access a key or channel: allow it (ACL SETUSER)"),
    (r"EXEC without MULTI", "does not let its user run multi: allow it (ACL SETUSER)"),
    (r"without any password configured", "has no password, but one is given: correct MSK_BROKER_URL"),
    (r"NOAUTH|Authentication required|HELLO must be called", "asks for a password: put it into MSK_BROKER_URL"),
    (r"WRONGPASS|invalid username-password|AuthenticationError", "refuses user or password: correct MSK_BROKER_URL"),
    (r"BusyLoading|LOADING", "is loading its data after a start: wait a little"),
    (r"BUSY ", "is busy with a script of somebody's (SCRIPT KILL ends it)"),
    (r"MasterNotFound|No master found", "has no primary that its sentinels know under that name: look at them"),
    (r"MasterDown|MASTERDOWN", "is a replica that has lost its primary"),
    (r"ClusterDown|CLUSTERDOWN|MovedError|MOVED |AskError|CROSSSLOT", "is part of a cluster: name a single server"),
    (r"DB index is out of range", "has fewer databases than MSK_BROKER_URL asks for"),
    (r"max number of clients|Too many connections", "has as many clients as it takes (maxclients)"),
    (r"DENIED", "refuses other hosts (protected mode): give it a password"),
    (r"unknown command", "is too old: Redis 6.2, or any Valkey, is needed"),
    (r"WRONGTYPE", "holds a key of ours that somebody else has written: use a database of its own"),
    (r"InvalidResponse|Protocol Error", "is no Redis or Valkey: correct MSK_BROKER_URL"),
)
#: What keeps a client from a broker at all: everything of these types has a sentence, even if its text is new.
_BROKER_AWAY = ("ConnectionError", "TimeoutError", "OperationalError", "OSError", "ConnectionLimitExceeded")

#: What the records' database says, SQLite first, and what is said of it, as with the broker.
_RECORDS = (
    (r"database is locked|LockNotAvailable|lock timeout", "are kept busy by another process: try again"),
    (r"disk is full|DiskFull|No space left", "cannot be written: the disk is full"),
    (r"readonly database|ReadOnlySqlTransaction|recovery mode|read-only", "refuse writes: they are read-only there"),
    (r"unable to open database file", "cannot be opened: may this user write to their folder?"),
    (r"disk I/O error", "cannot be read: the disk reports an error"),
    (r"is not a database|malformed", "are damaged: restore them from a backup"),
    (r"password|InvalidAuthorization|no pg_hba.conf entry", "refuse user or password: correct MSK_RECORDS"),
    (r"no such table|no such column|UndefinedTable|UndefinedColumn", "lack tables: msk records run makes them"),
    (r"does not exist", "are not there: is the database that MSK_RECORDS names made, and its user?"),
    (r"permission denied|InsufficientPrivilege", "refuse: their user may not make tables in that database"),
    (r"too many c", "have as many clients as they take (max_connections)"),
    (r"starting up|shutting down|AdminShutdown|terminating connection", "are being started or ended: wait a little"),
    (r"[Cc]onnection refused", "do not answer: nobody listens there (connection refused)"),
    (r"name or service|name resolution|resolve host|translate host", "do not answer: their host's name is not known"),
    (r"timeout|timed out|QueryCanceled", "do not answer: no answer in time"),
)

#: By number, what is wrong with a certificate (X509_V_ERR_ of OpenSSL).
_CERTIFICATE = {
    9: "is not valid yet: compare the clocks",
    10: "has expired",
    18: "is signed by itself, and no authority that is trusted here vouches for it",
    19: "is signed by an authority that is not trusted here",
    20: "is signed by an authority that is not trusted here",
    21: "is signed by an authority that is not trusted here",
    23: "was revoked",
    62: "is for another host name",
    64: "is for another address",
}

#: By number, what keeps two machines apart.
_NETWORK = {
    errno.ECONNREFUSED: "nobody listens there (connection refused)",
    errno.ECONNRESET: "the connection was broken off",
    errno.EPIPE: "the connection was broken off",
    errno.ECONNABORTED: "the connection was broken off",
    errno.ETIMEDOUT: "no answer in time",
    errno.EHOSTUNREACH: "there is no way to that host",
    errno.ENETUNREACH: "there is no way to that network",
    errno.EADDRINUSE: "another program listens on that port",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}

#: By number, what is wrong with a file or a folder.
_FILE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user is used up",
    errno.EFBIG: "it would be larger than files may be here",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user may not do that",
    errno.EPERM: "this user may not do that",
    errno.ENOENT: "there is no such file or folder",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EEXIST: "it exists already",
    errno.ENOTEMPTY: "the folder is not empty",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EILSEQ: "the file system does not take such a name",
    errno.EIO: "the disk reports an error",
    errno.ESTALE: "the network file system has lost it",
    errno.ENXIO: "it is no file",
    errno.ENODEV: "it is no file",
    errno.ELOOP: "its links lead in a circle",
    errno.ETXTBSY: "it is being used",
    errno.EBUSY: "it is being used",
    errno.ENOLCK: "the file system gives no locks",
    errno.EMFILE: "too many files are open (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOSYS: "the system does not offer that",
}
#: Of these, the ones that say enough where no path is named.
_WITHOUT_PATH = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE)

#: Where Python and what is built on it make semaphores and shared memory, which the system keeps in /dev/shm.
_SHARING = (
    "multiprocessing.synchronize",
    "multiprocessing.shared_memory",
    "multiprocessing.heap",
    "billiard.synchronize",
    "billiard.heap",
)


def sentence_of(error: BaseException) -> str | None:
    """What to tell people about this error; None for one that is not known, which is a mistake of ours."""
    if _is(error, OWN):
        return str(error)
    if _is_of(error, "redis.exceptions", "redis.sentinel", "kombu.exceptions"):
        return _of_broker(error)
    if _is_of(error, "sqlalchemy.exc"):
        return _of_records(error)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, UnicodeDecodeError):
        return "what was given is not UTF-8 text: save it as UTF-8"
    if isinstance(error, UnicodeEncodeError) or str(error) in ("embedded null byte", "embedded null character"):
        return "a name holds characters that are no text: choose another one"
    if isinstance(error, MemoryError) or _is(error, {"torch": ("OutOfMemoryError",)}):
        return "it needs more memory than there is"
    if _is(error, {"concurrent.futures.process": ("BrokenProcessPool",)}):
        return "a process that this one had started was killed, mostly because memory is short"
    return None


def network_reason(error: BaseException) -> str | None:
    """Why two machines did not come together, in a few words, from this error or what caused it; None if unknown."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate {_CERTIFICATE.get(cause.verify_code, 'cannot be verified')}"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) or (isinstance(cause, TimeoutError) and "handshake" in str(cause)):
            return "TLS cannot be agreed on: does it speak TLS there?"
        if isinstance(cause, TimeoutError) or type(cause).__name__ in ("Timeout", "ReadTimeout", "ReadTimeoutError"):
            return "no answer in time"
        if type(cause).__name__ == "gaierror":
            return "its name is not known"
        if isinstance(cause, OSError) and cause.errno in _NETWORK:
            return _NETWORK[cause.errno]
        if type(cause).__name__ in ("RemoteDisconnected", "IncompleteRead", "ProtocolError"):
            return "the connection was broken off"
    return None


def _of_broker(error: BaseException) -> str | None:
    said = " | ".join(f"{type(cause).__name__} {cause}" for cause in _causes(error))
    for pattern, sentence in _BROKER:
        if found := re.search(pattern, said):
            return f"the broker {sentence.format(**found.groupdict())}"
    if reason := network_reason(error):
        return f"the broker does not answer: {reason}"
    if any(kind.__name__ in _BROKER_AWAY for kind in type(error).__mro__):
        late = "imeout" in said or "imed out" in said
        return f"the broker does not answer: {'no answer in time' if late else 'the connection was broken off'}"
    return None


def _of_records(error: BaseException) -> str | None:
    original = getattr(error, "orig", None)
    said = " | ".join(f"{type(cause).__name__} {cause}" for cause in _causes(original)) if original else str(error)
    for pattern, sentence in _RECORDS:
        if re.search(pattern, said):
            return f"the records {sentence}"
    # An error of our own statements is a mistake; of these types, mostly a server that went away.
    if _is(error, {"sqlalchemy.exc": ("OperationalError", "InterfaceError", "TimeoutError")}):
        return "the records do not answer: the connection was broken off"
    return None


def _of_system(error: OSError) -> str | None:
    path = _path(error)
    if path is None:
        return _FILE[error.errno] if error.errno in _WITHOUT_PATH else network_reason(error)
    return f"{path}: {_FILE[error.errno]}" if error.errno in _FILE else None


def _path(error: OSError) -> str | None:
    """The path that an error is about. Python names none where processes share semaphores or memory."""
    if error.filename is not None and not isinstance(error.filename, int):
        return os.fsdecode(error.filename).encode("utf-8", "backslashreplace").decode()
    frames = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    return "/dev/shm" if frames and frames[-1] in _SHARING else None  # noqa: S108 (named, not used)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it: by its chain, or by what urllib3 and requests wrap without chaining."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            waiting += (getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__)
            yield cause


def _is(error: BaseException, kinds: dict[str, tuple[str, ...]]) -> bool:
    found = (getattr(sys.modules.get(module), name, None) for module, names in kinds.items() for name in names)
    return isinstance(error, tuple(kind for kind in found if kind is not None))


def _is_of(error: BaseException, *modules: str) -> bool:
    """Whether one of these modules defines its type, or a type that it is derived from."""
    return any(kind.__module__ in modules for kind in type(error).__mro__)
