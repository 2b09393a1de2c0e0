"""What holds for all tests."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a parameter of bytes by its argument: compressed and serialized bytes differ from process to process, and
    pytest-xdist refuses to run where two workers call one test two names.
    """
    return argname if isinstance(val, bytes) else None
