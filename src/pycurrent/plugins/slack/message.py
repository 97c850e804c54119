"""What is said."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_TITLE = 60


@dataclass(frozen=True, slots=True)
class Message:
    """A text in Slack's `mrkdwn`, and maybe blocks.

    The blocks are those of Slack's Block Kit, as JSON; where there are some, the text is what
    notifications show. Text from outside is to be escaped: see `escape`.
    """

    text: str
    blocks: tuple[dict[str, object], ...] = ()

    @property
    def title(self) -> str:
        """The beginning, in a line."""
        line = " ".join(self.text.split())
        return line if len(line) <= _LONGEST_TITLE else f"{line[:_LONGEST_TITLE]}..."

    @property
    def body(self) -> dict[str, object]:
        """As Slack takes it."""
        return {"text": self.text, **({"blocks": list(self.blocks)} if self.blocks else {})}


def message_of(message: str | Message) -> Message:
    return Message(message) if isinstance(message, str) else message


def escape(text: str) -> str:
    """Text from outside, so that it is shown as it is: no links, no mentions of everybody.

    `*`, `_` and backquotes still format.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
