"""Pictures that were asked for lately, in memory, up to a number of bytes."""

from collections import OrderedDict
from threading import Lock

from workers.pictures.answer import Answer

__all__ = ["PictureCache"]

#: What an entry takes beside its content.
OVERHEAD = 500


class PictureCache:
    """Forgets first what was used longest ago. Thread-safe. ``most``: bytes that it may take."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Answer | None:
        """What was put there, if it is kept still."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, and forget others if they take too much together."""
        with self._lock:
            self._drop(key)
            self._answers[key] = answer
            self._size += len(answer.content) + OVERHEAD
            while self._size > self._most:
                self._drop(next(iter(self._answers)))

    def _drop(self, key: str) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._size -= len(answer.content) + OVERHEAD
