"""Fixtures: small data of texts, and a finished fit on them."""

import pytest
from made_texts import small, write_reviews

import tfxfer


@pytest.fixture(scope="session")
def reviews(tmp_path_factory):
    """A folder of reviews: 80 to train, 40 to test."""
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews")


@pytest.fixture(scope="session")
def finished_texts(reviews, tmp_path_factory):
    """A finished fit on texts, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    said = []
    settings = small(
        data=str(reviews),
        backbone="lstm",
        run="reviews",
        runs_dir=str(folder / "runs"),
        export_dir=str(folder / "exports"),
    )
    return tfxfer.fit(say=said.append, **settings), "\n".join(said)
