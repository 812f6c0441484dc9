"""The page of a demo, in a browser and over HTTP."""

import csv
import html
import re
import shlex
import shutil
import struct
import zipfile
import zlib
from io import BytesIO

import pytest
from browser import Seen, choose_by_keyboard, open_browser
from command_line import run as run_command
from conftest import file_of, scene, scene_file, small_config
from demo_server import file_data, open_demo

from tfxfer.api.fit import fit
from tfxfer.api.predict import predict
from tfxfer.system.run_layout import RunDirectory

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(pictures, weights_file, tmp_path_factory):
    """A run whose model can be explained, with one mistake."""
    directory = tmp_path_factory.mktemp("shown")
    # Maps of 3 x 3.
    settings = {"run": "colors", "image_size": 96, "finetune": {"unfreeze": "none"}}
    done = fit(small_config(pictures, weights_file, directory, **settings), say=lambda _: None)
    run = RunDirectory(done.run)
    with run.predictions.open(newline="") as file:
        names, *rows = csv.reader(file)
    rows[0][2] = next(row[1] for row in rows if row[1] != rows[0][1])
    with run.predictions.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return run


@pytest.fixture(scope="module")
def demo(run):
    with open_demo(run.path) as demo:
        yield demo


def png(width, height, *, kind=2):
    """Returns a PNG that states any size and has hardly any content."""

    def chunk(name, content):
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def archive():
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../evil.jpg", bytes(10_000_000))
    return content.getvalue()


JPEG = scene_file(1)
PNG = scene_file(1, kind="PNG")
SCRIPT = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("http://evil.example")</script></svg>'
)
HOSTILE = {
    "nothing": b"",
    "one byte": b"\xff",
    "a header of 18 GB": png(100_000, 60_000),
    "a header of 2**31 - 1 pixels each way": png(2**31 - 1, 2**31 - 1),
    "no pixels": png(0, 10),
    "an unknown color type": png(10, 10, kind=5),
    "a JPEG of 65,535 pixels each way": JPEG[:163] + b"\xff\xff\xff\xff" + JPEG[167:],
    "an SVG with a script": SCRIPT,
    "an SVG under an XML header": b"<?xml version='1.0'?>" + SCRIPT,
    "a page": b"<!doctype html><img src=x onerror=alert(1)>",
    "a ZIP archive": archive(),
    "a gzip file": b"\x1f\x8b\x08" + bytes(100),
    "a PDF": b"%PDF-1.7\n" + bytes(100),
    "a program": b"\x7fELF" + bytes(200),
    "half a JPEG": JPEG[: len(JPEG) // 2],
    "half a PNG": PNG[: len(PNG) // 2],
    "a PNG with a wrong checksum": PNG[:50] + bytes([PNG[50] ^ 255]) + PNG[51:],
    "half a WebP": scene_file(1, kind="WebP")[:100],
    "half a GIF": scene_file(1, kind="GIF")[:60],
    "half a TIFF": scene_file(1, kind="TIFF")[:100],
    "zeros": bytes(1_000_000),
    "text": b"../../../etc/passwd\n" * 100,
}
NAMES = [
    "../../../etc/passwd",
    "a.svg",
    "x" * 300 + ".jpg",
    "<b>.jpg",
    "a\u202egpj.exe",
    ".htaccess",
]


def shares(text):
    """Returns the classes on the page with what is written beside them."""
    found = re.findall(r'demo-class">([^<]*)<.*?demo-share">([^<]*)<', text)
    return [(html.unescape(name), share) for name, share in found]


def expected(run, path):
    """Returns what the page must show of a file."""
    (prediction,) = predict(run.path, [path], top=5)
    return [(name, f"{share:.2%}") for name, share in prediction.ranked]


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_upload_gets_a_sentence_and_the_page_lives(demo, paths, run, what):
    number = list(HOSTILE).index(what)
    classes, seen, near = demo.answer(HOSTILE[what], NAMES[number % len(NAMES)])
    assert re.fullmatch(
        r'<p class="demo-refusal" role="alert">This file cannot be classified: [^<>]+\.</p>',
        classes,
    )
    assert "tmp" not in classes  # where uploads are is nobody's business
    assert seen == near == ""
    kept = demo.call("keep", file_data(demo.upload(HOSTILE[what])), "red")
    assert "not saved" in kept[0]
    assert not run.corrections.exists()
    classes, *_ = demo.answer(paths[0].read_bytes())
    assert shares(classes) == expected(run, paths[0])


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../etc/passwd", "file:///etc/passwd", "http://localhost:1/a.jpg", "run"],
)
def test_no_path_comes_from_a_request(demo, run, path):
    path = str(run.model) if path == "run" else path
    for what, more in (("answer", ()), ("keep", ("red",))):
        told = demo.call(what, file_data(path), *more)
        assert "event: error" in told
        assert "root:" not in told
        # Not its content either, from where uploads are.
        assert "PK" not in told
    assert demo.get(f"gradio_api/file={path}")[0] in (403, 404)


def test_an_upload_is_never_shown_as_a_page(demo):
    path = demo.upload(SCRIPT, "a.svg")
    demo.call("answer", file_data(path))
    status, headers, _ = demo.open(f"gradio_api/file={path}")
    assert status == 200
    assert headers["Content-Disposition"].startswith("attachment")


def test_what_is_no_class_is_not_kept(demo, run):
    for label in (None, "", "violet", "../red", ["red"]):
        told = demo.call("keep", file_data(demo.upload(JPEG)), label)
        assert "event: error" in told or "Choose the correct class" in told[0]
    assert "no image" in demo.call("keep", None, "red")[0]
    assert not run.corrections.exists()


def test_many_requests_in_turn_leave_it_alive(demo):
    for _ in range(300):
        assert demo.get()[0] == 200


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


class Visit:
    """A page of a demo in a browser, with what it did."""

    def __init__(self, browser, url, *, width=1400, scheme="light"):
        self.seen = Seen()
        self._context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.page = self._context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.seen.errors.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url, url))
        self.page.goto(url)
        self.page.wait_for_selector("#demo-image input[type=file]", state="attached")

    def _said(self, message):
        if message.type == "error":
            self.seen.messages.append(message.text)

    def _asked(self, address, url):
        if not address.startswith((url, "data:", "blob:")):
            self.seen.requests.append(address)

    def upload(self, path):
        self.page.set_input_files("#demo-image input[type=file]", path)
        self.page.wait_for_selector(".demo-bars")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1400, "dark")])
def test_the_page_fits_and_asks_no_other_server(demo, browser, run, paths, width, scheme):
    with Visit(browser, demo.url, width=width, scheme=scheme) as visit:
        visit.upload(paths[0])
        assert shares(visit.page.inner_html("#demo-classes")) == expected(run, paths[0])
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert visit.seen.is_clean, visit.seen


def test_an_example_is_a_mistake_and_shows_its_label(demo, browser, run):
    with Visit(browser, demo.url) as visit:
        visit.page.click("button.gallery-item, .gallery button")
        visit.page.wait_for_selector(".demo-bars")
        with run.predictions.open(newline="") as file:
            wrong = next(row for row in csv.DictReader(file) if row["label"] != row["predicted"])
        assert f"labeled {wrong['label']}" in visit.page.inner_text("#demo-classes")
        assert visit.seen.is_clean, visit.seen


def test_a_correction_is_kept_and_trained_on(demo, browser, run, tmp_path):
    path = tmp_path / "new.png"
    path.write_bytes(file_of(scene(3), "PNG"))
    with Visit(browser, demo.url) as visit:
        visit.upload(path)
        page = visit.page
        heat = page.locator(".demo-heat")
        assert heat.evaluate("image => getComputedStyle(image).opacity") == "0.5"
        slider = page.locator("input[type=range]")
        slider.focus()
        for _ in range(4):
            slider.press("ArrowRight")
        page.wait_for_function(
            "getComputedStyle(document.querySelector('.demo-heat')).opacity === '0.7'"
        )
        choose_by_keyboard(page, "gree", "green")
        page.locator("#demo-keep").press("Enter")
        page.wait_for_selector("#demo-kept pre")
        told = page.inner_text("#demo-kept")
        assert "There is 1 correction" in told
        command = page.inner_text("#demo-kept pre")
        assert visit.seen.is_clean, visit.seen
    with run.corrections.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == "green"
    assert (run.path / row["path"]).read_bytes() == path.read_bytes()
    with Visit(browser, demo.url) as visit:  # a page that is opened later
        visit.page.wait_for_selector("#demo-kept pre")
        assert "There is 1 correction" in visit.page.inner_text("#demo-kept")
    done = run_command(*shlex.split(command)[1:], "--runs-dir", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    (new,) = (tmp_path / "runs").iterdir()
    assert str(run.path / row["path"]) in (new / "splits.csv").read_text()
    shutil.rmtree(run.corrected)
    run.corrections.unlink()


def test_it_ends_at_once_although_a_page_is_open(demo, browser):
    with Visit(browser, demo.url):
        code, seconds, rest = demo.end()
    assert code == 130
    assert rest == "The demo has ended.\n"
    assert seconds < 5
