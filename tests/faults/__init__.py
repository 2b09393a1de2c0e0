"""Matrix of faults: what is served, said and left when processes are killed, disks fail and files are damaged.

`make test-faults` tries all of it and writes the table of docs/reliability.md; a sample runs with the other tests.
"""
