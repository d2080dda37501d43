"""The child process that renders pictures, one after the other: `python -m workers.pictures.child CHANNEL`.

A file may lead into any corner of a decoder. Here it can take a bounded amount of memory, and nothing else down.
``CHANNEL``: the number of an inherited socket. Each message is `INSTANCE PIXELS`; each answer an `Answer`.
"""

import os
import resource
import sys
from multiprocessing.connection import Connection

import cv2

from mskmodel.radiograph import Limits, NotClassifiable
from workers.pacs import OrthancClient, OrthancError, OrthancNotFound, TooLarge
from workers.pictures.answer import Answer, Ending
from workers.pictures.rendering import rendered
from workers.settings import Settings

__all__ = ["READY"]

#: The first message of a child, once it can be asked.
READY = b"ready"
#: Bytes of memory, of which libraries take a quarter: enough for a file of the greatest size that is labelled.
MEMORY = 3 * 2**30
#: Intake goes first.
NICENESS = 5
#: Seconds that Orthanc may take to begin an answer.
ORTHANC_SECONDS = 20.0


def main() -> None:
    """Answer until the other end is closed, as it is when the gateway ends, however it ends."""
    channel, settings = Connection(int(sys.argv[1])), Settings.from_environment()
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    orthanc = OrthancClient.of(settings, read_timeout=ORTHANC_SECONDS)
    channel.send_bytes(READY)
    try:
        while True:
            instance_id, _, pixels = channel.recv_bytes().decode().partition(" ")
            channel.send_bytes(_answer(orthanc, settings, instance_id, int(pixels)).to_bytes())
    except (EOFError, ConnectionError):
        return


def _answer(orthanc: OrthancClient, settings: Settings, instance_id: str, longest: int) -> Answer:
    try:
        metadata = orthanc.metadata(instance_id)
        settings.kinds.check(metadata.get("SopClassUid", ""), None)
        data = orthanc.file(instance_id, Limits().max_file_bytes)
        picture = rendered(data, longest, settings.kinds, metadata.get("TransferSyntax", ""))
    except OrthancNotFound:
        return Answer.because(Ending.GONE, "deleted: Orthanc holds no such instance")
    except (NotClassifiable, TooLarge) as error:
        return Answer.because(Ending.REFUSED, str(error))
    except OrthancError:
        return Answer.because(Ending.AWAY, "Orthanc does not deliver the file: try again later")
    except MemoryError:
        return Answer.because(Ending.REFUSED, "it needs more memory than a picture may take")
    except Exception as error:  # noqa: BLE001 - whatever a file does to a decoder concerns this file only
        # Without its message, which may quote what is in the file.
        return Answer.because(Ending.REFUSED, f"reading it ended in an unexpected error ({type(error).__name__})")
    return Answer(Ending.PICTURE, picture)


if __name__ == "__main__":
    main()
