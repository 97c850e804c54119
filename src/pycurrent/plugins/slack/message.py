"""Messages: a text, and blocks."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_TITLE = 60


@dataclass(frozen=True, slots=True)
class Message:
    """A text in Slack's `mrkdwn`, and optional blocks.

    The blocks are those of Slack's Block Kit, as JSON. With blocks, the text is only shown in
    notifications. Escape text from outside: see `escape`.
    """

    text: str
    blocks: tuple[dict[str, object], ...] = ()

    @property
    def title(self) -> str:
        """The beginning of the text, in one line."""
        line = " ".join(self.text.split())
        return line if len(line) <= _LONGEST_TITLE else f"{line[:_LONGEST_TITLE]}..."

    @property
    def body(self) -> dict[str, object]:
        """The JSON that Slack takes."""
        return {"text": self.text, **({"blocks": list(self.blocks)} if self.blocks else {})}


def message_of(message: str | Message) -> Message:
    return Message(message) if isinstance(message, str) else message


def escape(text: str) -> str:
    """Escape text from outside, so that it can't link or mention anybody.

    `*`, `_` and backquotes still format.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
