"""Image formats: how their files begin, what their names end in, and which are read.

One table, for Python (`format_of`) and for graphs alike (`recognition.decoded_format`).
"""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Format:
    """An image format.

    Attributes:
        name: As in messages.
        pattern: What the first bytes of a file match, a character for each byte; in the syntax that
            Python and RE2 have in common, where `.` is any byte.
        extensions: Of its files, in lower case.
        is_read: Whether its files are decoded. The others are recognized so that messages can say
            what a file is.
        in_graphs: Whether a SavedModel decodes them, too.
        converter: A command that converts an unsupported file.
    """

    name: str
    pattern: str
    extensions: tuple[str, ...]
    is_read: bool = False
    in_graphs: bool = False
    converter: str = "magick FILE FILE.png"

    @property
    def refusal(self) -> str:
        """The message on a file of this format where it is not supported."""
        where = "by a SavedModel" if self.is_read else "here"
        return (
            f"it is {self.name}, which is not supported {where}; convert it to PNG or JPEG, "
            f"for example with `{self.converter}`"
        )


# The brands of ISO media files; a general one comes first where the kind stands behind it.
_BRAND = r".{{4}}ftyp(?:(?:{0})|(?:mif1|msf1|miaf).{{4}}(?:.{{4}}){{0,15}}?(?:{0}))"

# White space, an XML declaration, comments and other declarations before an element.
_BEFORE_ELEMENT = (
    r"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:<\?[^>]*>[ \t\r\n]*|<!--(?:.{0,999}?)-->[ \t\r\n]*)*"
)

# The first that matches counts. How a JPEG begins is also how JPEG-LS does.
FORMATS = (
    Format("JPEG", r"\xff\xd8\xff", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif"), True, True),
    Format("PNG", r"\x89PNG\r\n\x1a\n", (".png", ".apng"), True, True),
    # What follows "BM" can be anything until the size of a header, which takes 1 of 4 bytes.
    Format("BMP", r"BM(?:.{0,15}$|.{13}\x00\x00\x00)", (".bmp", ".dib"), True, True),
    Format("GIF", r"GIF8", (".gif",), True, True),
    Format("WebP", r"RIFF.{4}WEBP", (".webp",), True, True),
    Format("Canon raw", r"II\*\x00.{4}CR|.{4}ftypcrx ", (".cr2", ".cr3")),
    Format("TIFF", r"(?:II[*+]\x00|MM\x00[*+])", (".tif", ".tiff"), True),
    Format(
        "NPY",
        r"\x93NUMPY",
        (".npy",),
        True,
        converter="python -c 'import numpy, PIL.Image as image; "
        'image.fromarray(numpy.load("FILE")).save("FILE.png")\'',
    ),
    Format(
        "AVIF", _BRAND.format("avi[fs]"), (".avif", ".avifs"), converter="avifdec FILE FILE.png"
    ),
    Format(
        "HEIC",
        # A file with only a general brand is assumed to be of the most common kind.
        _BRAND.format("hei[cxms]|hev[cxms]") + r"|.{4}ftyp(?:mif1|msf1)",
        (".heic", ".heif", ".hif"),
        converter="heif-convert FILE FILE.png",
    ),
    Format("JPEG XL", r"\xff\x0a|\x00{3}\x0cJXL ", (".jxl",), converter="djxl FILE FILE.png"),
    Format("JPEG 2000", r"\x00{3}\x0cjP  |\xff\x4f\xff\x51", (".jp2", ".j2k", ".jpx", ".jpf")),
    Format("JPEG XR", r"II\xbc", (".jxr", ".wdp", ".hdp")),
    Format(
        "SVG",
        _BEFORE_ELEMENT + r"(?:<!DOCTYPE[ \t\r\n]+svg|<(?:svg:)?svg[ \t\r\n>/])",
        (".svg",),
        converter="rsvg-convert FILE -o FILE.png",
    ),
    Format("ICO", r"\x00\x00\x01\x00[^\x00]\x00.{3}\x00", (".ico",)),
    Format("PSD", r"8BPS\x00[\x01\x02]", (".psd", ".psb")),
    Format("XCF", r"gimp xcf ", (".xcf",)),
    Format("Netpbm", r"P[1-7][ \t\r\n]+[#0-9W]", (".ppm", ".pgm", ".pbm", ".pnm", ".pam")),
    Format("DICOM", r".{128}DICM", (".dcm", ".dicom")),
    Format("FITS", r"SIMPLE  =", (".fits", ".fit")),
    Format("OpenEXR", r"\x76\x2f\x31\x01", (".exr",)),
    Format("Radiance HDR", r"#\?R(?:ADIANCE|GBE)", (".hdr",)),
    Format("DDS", r"DDS \x7c", (".dds",)),
    Format("QOI", r"qoif", (".qoi",)),
)

# Files that are not images but often named like one: a pattern, and the message.
OTHERS = (
    (
        _BEFORE_ELEMENT + r"<(?i:!DOCTYPE html|html|head|body)[ \t\r\n>]",
        "it is a web page, not an image; download the image itself",
    ),
    (
        r"version https://git-lfs",
        "it is a Git LFS pointer, not the image; get the image with `git lfs pull`",
    ),
    (r"%PDF-", "it is a PDF file, not an image; take its pages out with `pdftoppm -png`"),
    (r"PK\x03\x04", "it is a ZIP archive, not an image; unpack it"),
    (r".{4}ftyp|\x1a\x45\xdf\xa3", "it is a video, not an image; extract frames from it"),
)

# What is read, everywhere and in a SavedModel.
READ = tuple(one for one in FORMATS if one.is_read)

IN_GRAPHS = tuple(one for one in FORMATS if one.in_graphs)

# As many first bytes of a file as tell its format.
HEAD_BYTES = 1024

_PATTERNS = tuple((one, re.compile(one.pattern, re.DOTALL)) for one in FORMATS)


def format_of(head: bytes) -> str | None:
    """Returns the name of the image format that the first bytes of a file announce.

    The name is one of `FORMATS`, whether files of that format are read or not: "JPEG", "PNG",
    "TIFF", "HEIC", "SVG". None is no image, as far as is known, and an empty file.

    Args:
        head: The first `HEAD_BYTES` of a file, or all of it; more are not looked at.
    """
    text = head[:HEAD_BYTES].decode("latin-1")
    return next((one.name for one, pattern in _PATTERNS if pattern.match(text)), None)


# The frames of a JPEG that are decoded: sequential and progressive, also with arithmetic coding.
_DECODED_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}

_LOSSLESS_FRAMES = {0xC3: "lossless", 0xCB: "lossless", 0xF7: "JPEG-LS"}


def why_jpeg_is_not_read(content: bytes) -> str:
    """Returns why a JPEG of an unsupported kind is not decoded, "" of other and corrupt ones.

    Args:
        content: Of the file.
    """
    at = 2
    while content[at : at + 1] == b"\xff" and len(content) > at + 10:
        kind = content[at + 1]
        if kind == 0xFF:  # fills up
            at += 1
            continue
        if kind in (0xC4, 0xC8, 0xCC) or not (0xC0 <= kind < 0xD0 or kind == 0xF7):
            if kind < 0xC0 or kind == 0xDA:
                return ""
            at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
            continue
        bits, components = content[at + 4], content[at + 9]
        if kind in _DECODED_FRAMES and bits == 8 and components != 2:
            return ""
        told = _LOSSLESS_FRAMES.get(kind) or (
            f"{bits} bits per sample"
            if bits != 8
            else "two components"
            if kind in _DECODED_FRAMES
            else "hierarchical"
        )
        return (
            f"it is an unsupported kind of JPEG ({told}); convert it to PNG, for example "
            "with `magick FILE FILE.png`"
        )
    return ""
