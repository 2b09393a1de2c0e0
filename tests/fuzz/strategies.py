"""Bytes and texts as strangers write them: almost right, or not at all."""

from hypothesis import strategies as st

# What parsers stumble over: controls, quotes, brackets, surrogates in JSON, numbers beyond every type, deep nesting.
_PIECES = (
    b"\0", b"\x1b[31m", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"'", b"\\", b"\n", b"\r", b"\t", b",", b":", b"{", b"}",
    b"[", b"]", b"[" * 3000, b'{"a":' * 1500, b"\\ud800", b"\\u0000", b"1e999", b"NaN", b"-0", b"9" * 400, b"null",
    b"true", b"&a *a", b"<<: *b", b"!!python/name:os.system ", b"---\n", b"# ", b"../", b"%s", b"${x}", b"\xe2\x80\xae",
    "\u2028".encode(), b"a" * 5000, b"[" * 900 + b"]" * 900,
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return `whole` with up to five changes: a piece inserted, a part removed, repeated, zeroed or moved."""
    content = whole
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 60)))
        part = content[start:end]
        match draw(st.sampled_from(("insert", "remove", "repeat", "zero", "replace", "cut"))):
            case "insert":
                content = content[:start] + draw(st.sampled_from(_PIECES)) + content[start:]
            case "remove":
                content = content[:start] + content[end:]
            case "repeat":
                content = content[:end] + part * draw(st.integers(1, 50)) + content[end:]
            case "zero":
                content = content[:start] + bytes(len(part)) + content[end:]
            case "replace":
                content = content[:start] + draw(st.binary(max_size=len(part))) + content[end:]
            case "cut":
                content = content[:start]
    return content


def almost(whole: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy of damaged versions of `whole`, and now and then of any bytes."""
    return st.one_of(damaged(whole), damaged(whole), damaged(whole), st.binary(max_size=300))
