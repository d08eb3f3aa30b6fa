"""What became of the visits, and which faults there were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Keys of visits, by where they are.

    Attributes:
        acknowledged: Answered with 202.
        lake: Key → how often it stands in the lake.
        dead: Keys in the dead-letter queue or in the failure destination.
        unheard: Keys whose client never got an answer: its connection or its function broke after the visit was taken.
        faults: Kind of fault → how often it happened.
        mails: Mails that the relay received.
        tracebacks: Those in the local cloud's log.
        seconds: From the first visit until the last was found.
    """

    acknowledged: set[str] = field(default_factory=set)
    lake: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    unheard: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    mails: int = 0
    tracebacks: int = 0
    seconds: float = 0.0

    @property
    def lost(self) -> set[str]:
        """Acknowledged, and nowhere."""
        return self.acknowledged - self.lake.keys() - self.dead.keys()

    @property
    def twice(self) -> set[str]:
        """In the lake more than once, or in the lake and among the dead."""
        return {key for key, count in self.lake.items() if count > 1} | (self.lake.keys() & self.dead.keys())

    @property
    def unexplained(self) -> set[str]:
        """Found, though nobody sent it."""
        return (self.lake.keys() | self.dead.keys()) - self.acknowledged - self.unheard

    @property
    def share(self) -> float:
        """The part of the acknowledged visits that reached the lake."""
        return len(self.acknowledged & self.lake.keys()) / max(1, len(self.acknowledged))

    @property
    def keeps_the_promise(self) -> bool:
        """Whether every acknowledged visit is in one place, nearly all in the lake, and nothing of ours broke."""
        return not (self.lost or self.twice or self.unexplained or self.tracebacks) and self.share >= 0.95

    def __str__(self) -> str:
        faults = "\n".join(f"  {kind:<28} {count:>6}" for kind, count in sorted(self.faults.items()))
        return (
            f"{len(self.acknowledged)} visits answered 202 in {self.seconds:.0f} s; {self.share:.1%} of them in the "
            f"lake, {len(self.acknowledged & self.dead.keys())} in the dead-letter queue or the failure destination\n"
            f"lost {len(self.lost)}, twice {len(self.twice)}, unexplained {len(self.unexplained)}; "
            f"{len(self.unheard)} taken whose client heard no answer; {self.mails} mails; "
            f"{self.tracebacks} tracebacks\nfaults:\n{faults}"
        )
