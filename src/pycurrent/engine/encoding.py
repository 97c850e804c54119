"""Texts as the bytes that stand in logs and go to commands."""

NEWLINE = ord("\n")


def encode(text: str) -> bytes:
    """UTF-8; what `os.fsdecode` made of undecodable bytes becomes those bytes again.

    Never raises: any other lone surrogate is written as its escape.
    """
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")
