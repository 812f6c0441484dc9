"""Which format the first bytes of a file announce."""

import pytest
from conftest import file_of
from image_files import FILES, FORMAT_NAMES, PICTURE

from tfxfer.data.image.formats.table import format_of


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        *(
            (content, FORMAT_NAMES[name.upper()])
            for name, content in (
                ("jpeg", FILES["jpeg"]),
                ("png", FILES["png"]),
                ("bmp", FILES["bmp"]),
                ("gif", FILES["gif"]),
                ("webp", FILES["webp"]),
                ("tiff", file_of(PICTURE, "TIFF")),
                ("tiff", file_of(PICTURE, "TIFF", big_tiff=True)),
            )
        ),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"BM", "BMP"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafheic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif", "AVIF"),
        (file_of(PICTURE, "AVIF"), "AVIF"),
        (file_of(PICTURE, "JPEG2000"), "JPEG 2000"),
        (file_of(PICTURE, "ICO"), "ICO"),
        (file_of(PICTURE, "PPM"), "Netpbm"),
        (b"\xff\x0a\0", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1\0\0", "PSD"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\r\n<!-- by hand -->\n<svg>", "SVG"),
        (b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'>", "SVG"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"", None),
        (b"\xff", None),
        (b"BMW, Audi and others", None),
        (b"path,label\n", None),
        (b"<html><svg></svg></html>", None),
        (b"RIFF0000WAVEfmt 0123456789", None),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", None),
        (bytes(1024), None),
    ],
)
def test_a_format_is_recognized_by_the_first_bytes_of_a_file(head, expected):
    assert format_of(head) == expected
