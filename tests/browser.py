"""A headless Chromium that records the requests and errors of a page."""

import contextlib
import shutil
from dataclasses import dataclass, field

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Seen:
    """What a page did: console messages, errors, requests and dialogs."""

    messages: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    popups: list = field(default_factory=list)

    @property
    def is_clean(self):
        return not (self.messages or self.errors or self.requests or self.popups)


@contextlib.contextmanager
def open_browser():
    """Yields a browser, or skips the test if there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium: install Debian's `chromium`, say")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def open_page(browser, path, *, width=1400, scheme="light"):
    """Yields a page that shows a file, with its record."""
    seen = Seen()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: seen.messages.append(message.text))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))

    def popped_up(dialog):
        seen.popups.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", popped_up)
    address = path.resolve().as_uri()

    def requested(request):
        if request.url != address and not request.url.startswith("data:"):
            seen.requests.append(request.url)

    page.on("request", requested)
    page.goto(address)
    try:
        yield page, seen
    finally:
        context.close()


def choose_by_keyboard(page, typed, name):
    """Chooses a class on the page of a demo, as a person does: again, if it was not taken.

    Where typing is faster than the page, Gradio's list loses an Enter now and then: once in 50 on a
    busy machine.
    """
    field = page.locator("#demo-label input")
    for _ in range(3):
        field.focus()
        field.fill("")
        field.press_sequentially(typed)
        page.wait_for_selector("#demo-label ul li.active")
        field.press("Enter")
        for _ in range(20):
            if field.input_value() == name:
                return
            page.wait_for_timeout(100)
    pytest.fail(f"{name!r} could not be chosen; the field has {field.input_value()!r}")
