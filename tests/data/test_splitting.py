"""How much is set aside where nobody says."""

import pytest

from tfxfer.data.splitting import default_fraction


@pytest.mark.parametrize(
    ("num_examples", "fraction"),
    [
        (100, 0.2),  # 500 would be more than all
        (2500, 0.2),
        (4000, 0.125),  # 500
        (4999, 500 / 4999),
        (5000, 0.1),
        (25_000, 0.1),
        (50_000, 0.05),  # 2,500
        (250_000, 0.01),
        (1_000_000, 0.01),
    ],
)
def test_the_default_fraction_is_autogluons(num_examples, fraction):
    assert default_fraction(num_examples) == pytest.approx(fraction, abs=1e-12)
