"""What the user says of the processes that train together."""

from dataclasses import dataclass

from tfxfer.errors import UsageError

# How long a process waits for the others to start: images of containers may have to be pulled.
WAIT_SECONDS = 300


@dataclass(frozen=True)
class Processes:
    """The processes that train one model, as far as the user names them; JAX finds the rest.

    Attributes:
        coordinator: HOST:PORT of the first process; the port is free on its host.
        number: Of this process, from 0.
        count: How many there are.
        seconds: How long to wait until all of them have started.

    Raises:
        UsageError: One of them is impossible.
    """

    coordinator: str | None = None
    number: int | None = None
    count: int | None = None
    seconds: int = WAIT_SECONDS

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise UsageError(f"--num-processes is {self.count}; it must be at least 1.")
        if self.number is not None and self.number < 0:
            raise UsageError(f"--process-id is {self.number}; it must be at least 0.")
        if None not in (self.number, self.count) and not self.number < self.count:  # type: ignore[operator]
            raise UsageError(
                f"--process-id is {self.number}, but of {self.count} processes the last is "
                f"{self.count - 1}: they are numbered from 0."  # type: ignore[operator]
            )
        if self.seconds < 1:
            raise UsageError(f"--coordinator-seconds is {self.seconds}; it must be at least 1.")
        if self.coordinator is not None:
            self._check_address(self.coordinator)

    def _check_address(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(
                f"--coordinator is '{address}'; it must be HOST:PORT, such as node1:9731."
            )

    def describe(self) -> str:
        """Returns where the processes meet, as words of a message."""
        return f"at {self.coordinator}" if self.coordinator else "at the address that JAX found"
