"""Time to write a report, size of its page, and time until a browser shows it.

    python benchmarks/report_page.py RUN

Writes the report of a finished run from its model and data, in this process. Headless Chromium,
which must be installed, then opens it until the confusion matrix is drawn.
"""

import pathlib
import shutil
import tempfile
import time

import measuring

import tfxfer

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def opening_seconds(browser, page: pathlib.Path) -> float:
    """Returns the seconds until a page is loaded and drawn."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    shown = context.new_page()
    start = time.perf_counter()
    shown.goto(page.as_uri())
    shown.wait_for_selector("#matrix tbody tr")
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def main() -> None:
    """Prints medians and ranges."""
    from playwright.sync_api import sync_playwright

    parser = measuring.command_line(__doc__, repeats=5)
    parser.add_argument("run", metavar="RUN", type=pathlib.Path)
    options = parser.parse_args()
    facts = measuring.facts()
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise SystemExit("Chromium is not installed: `apt-get install chromium`, for example.")
    repeats = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = pathlib.Path(folder, "report.html")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(options.repeats):
            start = time.perf_counter()
            tfxfer.report(options.run, output=page)
            written = time.perf_counter() - start
            opened = opening_seconds(browser, page)
            repeats.append({"write": written, "open": opened, "MB": page.stat().st_size / 1e6})
        browser.close()
    names = ("write", "open", "MB")
    columns = {"seconds, MB": {name: [run[name] for run in repeats] for name in names}}
    measuring.finish(options, facts, columns, dict.fromkeys(names, 2), repeats)


if __name__ == "__main__":
    main()
