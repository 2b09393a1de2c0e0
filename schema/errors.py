"""What a user can mend: the one exception that ends in one line and exit status 2."""


class Refused(Exception):  # noqa: N818 - it reads as the outcome it causes
    """The configuration or the data was refused.

    The message is one line for the user: what is wrong, where (file, line, key), and what to do.
    """
