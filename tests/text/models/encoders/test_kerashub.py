import pytest

import tfxfer.text.models.encoders.kerashub as kerashub
from tfxfer.errors import UsageError


def test_without_kerashub_the_message_says_what_needs_it(monkeypatch):
    monkeypatch.setattr(kerashub, "installed_folder", lambda: None)
    with pytest.raises(
        UsageError, match=r"'x' needs the tokenizer of KerasHub.*tfxfer\[kerashub\]"
    ):
        kerashub.check_kerashub("x")


def test_with_it_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(kerashub, "installed_folder", lambda: tmp_path)
    kerashub.check_kerashub("x")
