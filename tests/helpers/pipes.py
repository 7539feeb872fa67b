"""Lines to and from a child process."""

from subprocess import Popen


def read_line(process: "Popen[str]") -> str:
    """Read a line of the process's standard output."""
    assert process.stdout
    return process.stdout.readline()


def write_line(process: "Popen[str]", line: str) -> None:
    """Write a line to the process's standard input."""
    assert process.stdin
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
