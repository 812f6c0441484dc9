"""A container image: TensorFlow Serving with an export and its configuration."""

import pathlib
import shlex
import shutil

from tfxfer.exporting.clients import REST_BODY, WARMUP_BATCH_SIZES, rest_url
from tfxfer.exporting.hosting.folders import new_folder
from tfxfer.system.run_layout import EXTRA_FOLDER

_DOCKERFILE = """\
# The version of TensorFlow Serving: docker build --build-arg SERVING=...
ARG SERVING=latest
FROM tensorflow/serving:${SERVING}
COPY models.config batching.config /models/
COPY models/ /models/
EXPOSE 8500 8501
# Arguments of the server; the image's entry point adds the ports.
CMD ["--model_config_file=/models/models.config", \\
     "--enable_batching", \\
     "--batching_parameters_file=/models/batching.config"]
"""

_MODELS = """\
model_config_list {{
  config {{
    name: {name}
    base_path: {path}
    model_platform: "tensorflow"
  }}
}}
"""

_README = """\
# {name} on TensorFlow Serving

Build the image and run it: REST on port 8501, gRPC on port 8500.

```bash
docker build -t {tag} .
docker run --rm -p 8500:8500 -p 8501:8501 {tag}
```

Send it the example that is bundled:

```bash
curl -d @request.json {url}
```

| file | what |
|---|---|
| `models/` | the SavedModel, and the requests that warm it up, with examples of your data |
| `models.config` | name and place of the model; a line for each further one |
| `batching.config` | requests that arrive together are answered together |
| `request.json` | body of a REST request |
"""


def write_container(version: pathlib.Path, directory: pathlib.Path) -> None:
    """Writes a folder from which `docker build` makes an image that serves an export.

    Args:
        version: The directory of a published version of a SavedModel.
        directory: Folder to create.

    Raises:
        ExportError: The folder cannot be written.
    """
    name = version.absolute().parent.name
    with new_folder(directory) as folder:
        shutil.copytree(version, folder / "models" / name / version.name)
        shutil.copyfile(version / EXTRA_FOLDER / REST_BODY, folder / REST_BODY)
        models = _MODELS.format(name=_quoted(name), path=_quoted(f"/models/{name}"))
        (folder / "models.config").write_text(models, "utf-8")
        (folder / "batching.config").write_text(_batching(), "utf-8")
        (folder / "Dockerfile").write_text(_DOCKERFILE, "utf-8")
        readme = _README.format(name=name, tag=shlex.quote(image_tag(name)), url=rest_url(name))
        (folder / "README.md").write_text(readme, "utf-8")


def image_tag(name: str) -> str:
    """Returns the tag of the container image of a model: lower case letters, digits and hyphens.

    Examples:
        >>> image_tag("Bees & ants")
        'bees-ants'
    """
    kept = "".join(mark if mark.isascii() and mark.isalnum() else " " for mark in name.lower())
    return "-".join(kept.split()) or "model"


def _batching() -> str:
    """Returns the configuration of batching: the batches that the model is warmed up with."""
    sizes = "".join(f"allowed_batch_sizes: {size}\n" for size in WARMUP_BATCH_SIZES)
    return (
        f"max_batch_size {{ value: {WARMUP_BATCH_SIZES[-1]} }}\n{sizes}"
        "batch_timeout_micros { value: 2000 }\n"
        "num_batch_threads { value: 2 }\n"
        "max_enqueued_batches { value: 100 }\n"
    )


def _quoted(text: str) -> str:
    """Returns a string of a protocol buffer in text format."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
