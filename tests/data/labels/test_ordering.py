"""Ordered classes."""

import numpy as np

from tfxfer.config.schema import FitConfig
from tfxfer.data.labels.ordering import in_order
from tfxfer.data.opening import open_source

CONFIG = FitConfig(data="digits")


def test_the_order_is_numeric_or_that_of_the_setting():
    source = open_source(CONFIG)
    assert in_order(source, CONFIG) is source
    numeric = in_order(source, FitConfig(data="digits", ordered=True))
    assert numeric.class_names == tuple(map(str, range(10)))
    order = ",".join(map(str, reversed(range(10))))
    turned = in_order(source, FitConfig(data="digits", ordered=True, class_order=order))
    assert turned.class_names == tuple(map(str, reversed(range(10))))
    train = source.splits["train"].labels
    np.testing.assert_array_equal(turned.splits["train"].labels, 9 - train)
    # The data are the same.
    assert turned.fingerprint() == numeric.fingerprint() == source.fingerprint()
