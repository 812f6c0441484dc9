import logging

import tensorflow as tf

from tfxfer.system.notices import shown_by, tensorflow_logging_from, warn_once


def test_a_notice_is_logged_once_for_each_matter(caplog, tmp_path):
    for matter in ("disk", "disk", "lock", "disk"):
        warn_once(f"{tmp_path} {matter}", f"the {matter} fails")
    assert caplog.messages == ["the disk fails", "the lock fails"]
    assert {record.name for record in caplog.records} == {"tfxfer"}


def test_notices_are_shown_in_place_of_logged_while_something_shows_them(caplog, tmp_path):
    lines = []
    with shown_by(lines.append):
        warn_once(f"{tmp_path} shown", "a 50% share")
    assert lines == ["a 50% share"]
    assert not caplog.messages
    logger = logging.getLogger("tfxfer")
    assert logger.propagate
    assert not logger.handlers


def test_what_is_logged_is_silenced_for_a_while():
    logger = tf.get_logger()
    before = logger.level
    with tensorflow_logging_from(logging.ERROR):
        assert not logger.isEnabledFor(logging.WARNING)
    assert logger.level == before
