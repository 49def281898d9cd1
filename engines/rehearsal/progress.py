"""What is said while a rehearsal runs: one line that rewrites itself on a terminal, plain lines elsewhere."""

import sys
from typing import TextIO

CLEAR = "\r\033[K"


class Progress:
    """Tells of steps and verdicts on ``out``, which is stderr: stdout carries the receipt."""

    def __init__(self, *, rewriting: bool = False, out: TextIO | None = None) -> None:
        self._rewriting = rewriting
        self._out = out or sys.stderr

    def doing(self, what: str) -> None:
        """Something begins; of interest only while it lasts."""
        if self._rewriting:
            self._write(f"{CLEAR}  {what[:76]} …")

    def done(self, line: str, *, lasting: bool) -> None:
        """Something ended; on a terminal only what is ``lasting`` stays."""
        if not self._rewriting:
            self._write(f"{line}\n")
        elif lasting:
            self._write(f"{CLEAR}{line}\n")

    def end(self, line: str) -> None:
        """The last word."""
        self._write(f"{CLEAR if self._rewriting else ''}{line}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
