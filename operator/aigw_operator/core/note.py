"""What could not be done as asked: a reason for machines, a message for people. A value; it decides nothing."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A reason in CamelCase, as conditions have it, and a message that says what is the matter and how to mend it."""

    reason: str
    message: str
