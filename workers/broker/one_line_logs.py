"""What a worker logs about its surroundings: one line with the reason, instead of a traceback for each try."""

import logging

from workers.sentences import sentence_of

__all__ = ["OneLine"]


class OneLine(logging.Filter):
    """Replaces the traceback of an error that has a sentence by that sentence. Others keep theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; every one is kept."""
        error = record.exc_info[1] if record.exc_info else None
        sentence = sentence_of(error) if error else None
        if sentence:
            first = record.getMessage().partition("\n")[0]
            record.msg, record.args = "%s", (f"{first} [{sentence}]",)
            record.exc_info = record.exc_text = None
        return True
