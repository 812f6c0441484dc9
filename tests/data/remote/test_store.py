"""What a URL leads to, and one sentence for whatever a store raises."""

import errno
import importlib.util

import pytest

from tfxfer.data.remote.store import Store, reading
from tfxfer.errors import DataError, RunError, UsageError


def test_a_url_leads_to_a_path_in_a_store():
    store = Store.of("memory://photos/new/")
    assert (store.url, store.root) == ("memory://photos/new", "/photos/new")
    assert store.url_of("/photos/new/a/1.jpg") == "memory://photos/new/a/1.jpg"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("foo://photos", "Protocol not known: foo.* s3://, gs://"),
        ("sftp://ann:secret@host/photos", "names a password"),
        ("zip://photos::memory://a.zip", "chains protocols"),
    ],
)
def test_a_url_that_cannot_be_read_is_an_error(url, message):
    with pytest.raises(UsageError, match=message) as caught:
        Store.of(url)
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_a_missing_package_is_named():
    with pytest.raises(UsageError, match="'gs://bucket/photos' tfxfer needs .*pip install gcsfs"):
        Store.of("gs://bucket/photos")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (FileNotFoundError("The bucket does not exist"), UsageError, "nothing at .*bucket does"),
        (PermissionError("Access Denied"), DataError, r"permission .*Access Denied.*AWS_PROFILE"),
        (RuntimeError("Unable to locate credentials"), DataError, "FSSPEC_S3_ANON"),
        (ConnectionResetError("reset\nby peer"), DataError, r"reset\. Check the network"),
        (OSError(errno.ENOSPC, "No space left on device"), RunError, "Cannot copy.* Free space"),
    ],
)
def test_what_a_store_raises_names_the_url(error, kind, message):
    with pytest.raises(kind, match=message) as caught, reading("s3://bucket/photos"):
        raise error
    assert "'s3://bucket/photos'" in str(caught.value)
    assert type(caught.value) is kind
