"""How soon the page of a demo answers, beside `import tensorflow`, and how long an answer takes.

    python benchmarks/demo_startup.py RUN IMAGE

Whole processes, in alternation, after one of each. The page answers when its first GET is complete;
the model is ready when an upload that is sent then has its answer. Of the later uploads the median
and the range count, from the upload to the complete answer over HTTP.
"""

import pathlib
import resource
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import measuring
from demo_server import open_demo

IMPORT = [sys.executable, "-c", "import tensorflow"]


def cpu_seconds():
    """Returns the processor seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def started(run, content, answers):
    """Returns the figures of one demo from its start to its end."""
    start = time.perf_counter()
    before = cpu_seconds()
    with open_demo(run) as shown:
        shown.get()
        page = time.perf_counter() - start
        shown.answer(content)
        ready = time.perf_counter() - start
        time.sleep(15)  # the features of training images are computed
        times = []
        for number in range(answers):
            begin = time.perf_counter()
            shown.answer(content, f"{number}.jpg")
            times.append(time.perf_counter() - begin)
        code, end, _ = shown.end()
    return {
        "page": page,
        "ready": ready,
        "answer": statistics.median(times),
        "slowest answer": max(times),
        "end": end,
        "cpu_seconds": cpu_seconds() - before,
        "code": code,
    }


def main() -> None:
    """Prints the median and range of each figure."""
    parser = measuring.command_line(__doc__, repeats=5)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--answers", type=int, default=20)
    options = parser.parse_args()
    facts, content, repeats = measuring.facts(), options.image.read_bytes(), []
    for _ in range(options.repeats + 1):
        demo = started(options.run, content, options.answers)
        plain = measuring.run(IMPORT)
        demo["import"], demo["import cpu"] = plain.seconds, plain.cpu_seconds
        demo["page after import"] = demo["page"] - plain.seconds
        demo["page by import"] = demo["page"] / plain.seconds
        repeats.append(demo)
        print({name: round(value, 2) for name, value in demo.items()}, flush=True)
    del repeats[0]
    columns = {"seconds": {name: [run[name] for run in repeats] for name in repeats[0]}}
    measuring.print_table(columns, dict.fromkeys(repeats[0], 2))
    measuring.write_json(options.json, **facts, medians=measuring.medians(columns), repeats=repeats)


if __name__ == "__main__":
    main()
