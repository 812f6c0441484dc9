"""What is said of files by how they begin, those that are not read among them."""

import pytest
import tensorflow as tf
from conftest import file_of
from image_files import FILES, FORMAT_NAMES, PICTURE, eagerly_and_in_a_graph

from tfxfer.data.image.decoding import (
    decode,
    why_unreadable,
)
from tfxfer.data.image.formats.recognition import (
    EXTENSIONS,
    FORMATS,
    SERVED_FORMATS,
    decoded_format,
)


@pytest.mark.parametrize(
    ("content", "name", "converter"),
    [
        (file_of(PICTURE, "TIFF"), "TIFF", "magick"),
        (file_of(PICTURE, "AVIF"), "AVIF", "avifdec"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(2000), "HEIC", "heif-convert"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", "rsvg-convert"),
        (file_of(PICTURE, "JPEG2000"), "JPEG 2000", "magick"),
        (b"\xff\x0a" + bytes(40), "JPEG XL", "djxl"),
        (file_of(PICTURE, "ICO"), "ICO", "magick"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "web page", "download"),
        (b"<html>\n", "web page", "download"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS", "git lfs pull"),
        (b"%PDF-1.4", "PDF", "pdftoppm"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video", "frames"),
        (b"PK\3\4" + bytes(30), "ZIP", "unpack"),
    ],
)
def test_a_graph_names_the_format_that_it_does_not_read(content, name, converter):
    for reason in (why_unreadable(tf.constant(content)), GRAPH(tf.constant(content))):
        said = reason.numpy().decode()
        assert name in said
        assert converter in said
    with pytest.raises(tf.errors.InvalidArgumentError, match="^.*the first: it is "):
        decode(tf.constant(content), "the first: ")


GRAPH = tf.function(why_unreadable)


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "gif", "webp"])
def test_a_format_that_graphs_read_is_recognized_by_its_first_bytes(name):
    for found in eagerly_and_in_a_graph(decoded_format, FILES[name][:20]):
        assert found.decode() == FORMAT_NAMES[name.upper()]


def test_the_formats_are_listed_for_messages():
    assert SERVED_FORMATS == "JPEG, PNG, BMP, GIF or WebP"
    assert FORMATS == "JPEG, PNG, BMP, GIF, WebP, TIFF or NPY"
    assert {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"} <= set(EXTENSIONS)
