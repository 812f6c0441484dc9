"""Many quick requests to the page of a demo, in turn and from two tabs at once.

    python benchmarks/demo_requests.py RUN IMAGE --requests 10000 --answers 1000

Of the requests so many ask for an answer, of which every tenth uploads what is no image; the others
ask for the page and its parts. The answers must be the same at the end as at the beginning, and the
memory is reported.
"""

import argparse
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import measuring
from demo_server import open_demo

# What a browser asks for, and what it never would.
PATHS = ("", "config", "theme.css", "none", "%00", "gradio_api/info", "../../x", "a" * 3000)


def resident_megabytes(pid):
    """Returns the memory of a process, in units of 1e6 bytes."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--answers", type=int, default=1_000)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    content = options.image.read_bytes()
    with open_demo(options.run) as shown:
        first, memory = shown.answer(content), resident_megabytes(shown.process.pid)
        start, statuses = time.monotonic(), {}
        every = max(1, options.requests // max(1, options.answers))
        for number in range(options.requests):
            if number % every == 0:
                is_bad = number // every % 10 == 9
                shown.answer(content[:100] + b"no image" if is_bad else content)
                status = "answer"
            else:
                status = shown.get(PATHS[number % len(PATHS)])[0]
            statuses[status] = statuses.get(status, 0) + 1
        seconds = time.monotonic() - start
        found = [[], []]

        def ask(tab):
            found[tab] = [shown.answer(content) for _ in range(20)]

        tabs = [threading.Thread(target=ask, args=(tab,)) for tab in range(2)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        same = all(answer[0] == first[0] for answers in found for answer in answers)
        after = resident_megabytes(shown.process.pid)
    count = [len(answers) for answers in found]
    print(f"{options.requests:,} requests in {seconds:.0f} s: {statuses}")
    print(f"two tabs at once: {count} answers, all as the first: {same}")
    print(f"memory {memory:.0f} MB after the first answer, {after:.0f} MB at the end")
    measuring.write_json(
        options.json,
        **measuring.facts(),
        seconds=seconds,
        statuses={str(key): value for key, value in statuses.items()},
        same=same,
        megabytes=[memory, after],
    )


if __name__ == "__main__":
    main()
