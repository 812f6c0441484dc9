"""The time that a backbone takes for one image."""

import dataclasses
import statistics

from tfxfer.models.backbones import latency
from tfxfer.models.backbones.registry import BACKBONES


def test_the_time_is_the_median_of_repeats_after_a_warm_up(monkeypatch):
    small = BACKBONES["resnet10_small"]
    shapes, clock = [], iter(range(1000))

    class Network:
        input_shape = (None, 64, 64, 3)

        def compile(self, **_):
            pass

        def predict_on_batch(self, image):
            shapes.append(image.shape)

    ticks = [0.0, 1.0, 10.0, 12.0, 20.0, 23.0]  # repeats of 1, 2 and 3 s
    monkeypatch.setattr(latency, "_REPEATS", 3)
    monkeypatch.setattr(latency, "load_backbone", lambda *_, **__: Network())
    monkeypatch.setattr(latency.time, "perf_counter", lambda: ticks[next(clock)])
    row = dataclasses.replace(small, native_size=64)
    assert latency.milliseconds_per_image(row) == 1000 * statistics.median([1, 2, 3])
    assert shapes == [(1, 64, 64, 3)] * (latency._WARMUPS + 3)
