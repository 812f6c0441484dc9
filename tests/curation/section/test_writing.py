"""The file of what the features say, and its command."""

import base64
import dataclasses
import json
import shlex

import tensorflow as tf
from made_galleries import blobs, gallery

from tfxfer.config.schema import FitConfig
from tfxfer.curation.section.known import KnownImages
from tfxfer.curation.section.looking import Asked, look
from tfxfer.curation.section.writing import write_findings
from tfxfer.data.image.dataset import Images
from tfxfer.data.opening import open_as_it_is
from tfxfer.reporting.data.section import SHOWN_SUSPECTS, section_of_data
from tfxfer.system.run_layout import RunDirectory


def test_all_is_listed_and_the_most_suspicious_have_thumbnails(tmp_path):
    digits = Images(open_as_it_is("digits").splits["train"], 8)
    features, labels = blobs(num_each=40, spread=0.2)
    labels[::12] = (labels[::12] + 1) % 3
    made = dataclasses.replace(gallery(features, labels), images={0: digits})
    looked = look(
        KnownImages(made, ("train",), 120), Asked("vgg16", ("a", "b", "c"), None, frozenset(), 0)
    )
    run = RunDirectory(tmp_path)
    asked = FitConfig(data="my photos", backbone="vgg16", image_size=64, weights="-odd file.h5")
    write_findings(run, looked, asked)
    found = json.loads(run.data_findings.read_text())
    assert len(found["suspect_labels"]) == 10
    suspects = section_of_data(run)["suspects"]
    assert len(suspects) == SHOWN_SUSPECTS
    for one in suspects:
        number = int(one["path"].partition("#")[2])
        pixels = tf.io.decode_jpeg(base64.b64decode(one["url"].partition(",")[2])).numpy()
        expected = digits.prepare(digits.split.read_image(number)).numpy()
        assert abs(pixels.astype(int) - expected).mean() < 16  # JPEG, of 8 x 8 pixels
    words = shlex.split(found["command"])
    assert words[:5] == ["tfxfer", "check", "my photos", "--backbone", "vgg16"]
    assert words[5:] == [
        "--weights",
        "-odd file.h5",
        "--image-size",
        "64",
        "--output",
        "check.html",
    ]
