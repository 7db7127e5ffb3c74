"""Inputs that are nearly right: a good example, of which something was cut out, doubled, or put in."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

Input = bytes

#: What parsers stumble over.
TOKENS = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\x1b]52;c;eA==\x07", "\u202e\u2028\u0663".encode(), b"\r", b"\n", b"\t",
    b"9" * 5000, b"-1", b"1e999", b"0x", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"''", b"[" * 3000, b"{" * 3000,
    b'{"a":' * 2000, b"(" * 3000, b"../", b"/", b"~nosuchuser/x", b"%s%n", b"${x}", b"{{x}}", b"[/bold]", b"&a [*a]",
    b"<<: *a", b"!!python/object:os.system x", b"!!set {a}", b"2026-13-45", b"=", b":", b",", b"#", b"- ", b'"', b"'",
    b"\\", b"\xef\xbb\xbf", b"a" * 70_000,
)  # fmt: skip


def damaged(examples: Sequence[Input]) -> st.SearchStrategy[Input]:
    """Returns a strategy for these examples after some damage, and for bytes and text of any kind."""
    nearly = st.builds(_after, st.sampled_from(examples), st.lists(_damage(), min_size=1, max_size=6))
    return nearly | nearly | nearly | st.binary(max_size=300) | st.text(max_size=300).map(_utf8)


def _damage() -> st.SearchStrategy[tuple[str, float, float, bytes]]:
    """What is done, where it begins and how far it reaches (as parts of the whole), and what is put in."""
    piece = st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=8) | st.text(min_size=1, max_size=8).map(_utf8)
    part = st.floats(0, 1)
    return st.tuples(st.sampled_from(("cut", "double", "put", "replace", "word")), part, part, piece)


def _after(example: Input, damages: Sequence[tuple[str, float, float, bytes]]) -> Input:
    text = example
    for what, begin, reach, piece in damages:
        start = int(begin * len(text))
        end = start + int(reach * reach * reach * (len(text) - start))
        match what:
            case "cut":
                text = text[:start] + text[end:]
            case "double":
                text = text[:end] + text[start:]
            case "put":
                text = text[:start] + piece + text[start:]
            case "replace":
                text = text[:start] + piece + text[end:]
            case "word":
                text = _with_word(text, start, piece)
    return text[:200_000]


def _with_word(text: Input, place: int, piece: bytes) -> Input:
    """Puts `piece` in place of the word or number at a place: the shape stays, a value changes."""
    start = end = place
    while start > 0 and text[start - 1 : start].isalnum():
        start -= 1
    while end < len(text) and text[end : end + 1].isalnum():
        end += 1
    return text[:start] + piece + text[end:]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
