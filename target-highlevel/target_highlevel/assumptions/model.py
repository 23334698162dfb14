"""What an open question is: its possible answers, the one we start from, and what we do under each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A number as an answer: `5000`, `2.5`.
NUMBER = re.compile(r"\d+(\.\d+)?")
#: The unit of questions about how long a text may be.
CHARACTERS = "characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """An open question about HighLevel.

    Attributes:
        name: how code, `probe.json` and the sandbox call it.
        question: one sentence that ends with a question mark.
        source: what the description says or leaves out, or who saw what.
        answers: each possible answer and what this product does under it. With a `unit`, any number is an answer as well;
            those listed are the ones that tests play.
        default: the answer assumed until something was measured.
        unit: what a number counts; empty where an answer is a word.
        tried: the greatest number that the probe tries: under `unlimited` it has found no limit up to there.
        measured: how the probe finds out.
        unmeasured: why the probe does not; exactly one of the two is filled in.
        alike: nothing in the program asks for the answer, because it meets each of them in the same way.
    """

    name: str
    question: str
    source: str
    answers: Mapping[str, str] = field(repr=False)
    default: str
    unit: str = ""
    tried: int = 0
    measured: str = ""
    unmeasured: str = ""
    alike: bool = False

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        if self.default not in self.answers or bool(self.measured) == bool(self.unmeasured):
            msg = f"the assumption {self.name} contradicts itself"
            raise ValueError(msg)

    def allows(self, answer: str) -> bool:
        """Return whether this is an answer to the question."""
        return answer in self.answers or bool(self.unit and NUMBER.fullmatch(answer))
