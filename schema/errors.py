"""The exception for what a user can correct: it ends in one line and exit status 2."""


class Refused(Exception):  # noqa: N818 - named after the outcome it causes
    """Refusal of the configuration or of the data.

    The message is one line for the user: what is wrong, where (file, line, key), and what to do.
    """
