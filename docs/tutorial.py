# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a folder of images to a served model
#
# This tutorial trains an image classifier on a folder of images, looks at its mistakes, and
# exports it as a SavedModel. You should know what a Keras model is. The tutorial needs neither a
# network connection nor a GPU, and takes two to three minutes on two CPU cores.
#
# To run it, copy this notebook to an empty folder, because it writes the folders `my_digits`,
# `runs` and `saved_models` beside itself. Then, in the folder of the tfxfer sources:
#
#     pip install . jupyterlab
#     jupyter lab PATH_OF_YOUR_COPY
#
# Or without a browser:
#
#     pip install . nbclient ipykernel
#     jupyter execute --inplace PATH_OF_YOUR_COPY

# %%
import csv
import os
import pathlib
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # hides TensorFlow's log messages

from IPython.display import display
from PIL import Image
from sklearn.datasets import load_digits

import tfxfer

# %% [markdown]
# ## 1. A folder of images
#
# tfxfer reads the layout that Keras' `image_dataset_from_directory` reads, one folder per class.
# Folders for the splits may stand above the classes:
#
#     my_digits/train/0/0000.png
#     my_digits/train/1/0001.png
#     ...
#     my_digits/test/8/0999.png
#
# The images here are 1,000 handwritten digits from scikit-learn, each of 8 x 8 pixels. There is
# no `validation` folder, so tfxfer will split off validation images by itself; without a `test`
# folder it does the same for the test set.

# %%
data = pathlib.Path("my_digits")
shutil.rmtree(data, ignore_errors=True)

digits = load_digits()
for number in range(1000):
    split = "train" if number < 700 else "test"
    folder = data / split / str(digits.target[number])
    folder.mkdir(parents=True, exist_ok=True)
    pixels = (digits.images[number] * 255 / 16).astype("uint8")
    Image.fromarray(pixels).save(folder / f"{number:04d}.png")


def show(paths, side=64, gap=4):
    """Shows images side by side."""
    row = Image.new("L", (len(paths) * (side + gap), side), 255)
    for place, path in enumerate(paths):
        image = Image.open(path).resize((side, side), Image.Resampling.NEAREST)
        row.paste(image, (place * (side + gap), 0))
    display(row)


train, test = data / "train", data / "test"
show([min((train / str(digit)).iterdir()) for digit in range(10)])

# %% [markdown]
# Real data have faults, so we add four:

# %%
# An incomplete file.
whole = min((train / "3").iterdir())
(train / "3" / "truncated.png").write_bytes(whole.read_bytes()[:60])
# One image with two labels.
shutil.copy(min((train / "5").iterdir()), train / "6" / "also_a_five.png")
# A test image among the training images.
shutil.copy(min((test / "7").iterdir()), train / "7" / "leaked.png")
# A four that is labeled as a one.
wrong = min((test / "4").iterdir()).rename(test / "1" / "wrong_label.png")

# %% [markdown]
# ## 2. Check the data
#
# `tfxfer.check` reads every image of every split. On the command line: `tfxfer check my_digits`.

# %%
print(tfxfer.check("my_digits").describe())

# %% [markdown]
# The check finds three of the four faults, and says for each what `fit` does about it:
#
# - The incomplete file would stop training. Delete it, or pass `bad_images="skip"`.
# - The image with two labels is a five. Delete it from the sixes.
# - The leaked test image needs no action: `fit` leaves it out of the training images.
#
# The near-duplicates are no fault here: at 8 x 8 pixels, many digits look alike.
#
# The check does not find the wrong label, because that image occurs only once. The model will
# find it.

# %%
(train / "3" / "truncated.png").unlink()
(train / "6" / "also_a_five.png").unlink()

# %% [markdown]
# ## 3. Train
#
# `tfxfer.fit` trains in two phases. It first trains a new head on the frozen backbone, then
# fine-tunes backbone and head together at a low learning rate. It keeps the epoch that is best on
# the validation images.
#
# - `backbone`: `resnet10_small` is a small ResNet for small images; its pretrained weights are
#   bundled. For photos, use one of Keras Applications, such as `mobilenetv2`.
# - `finetune`: settings of the second phase.
# - `augment`: random flips are off, because a mirrored digit is not a digit. For photos, leave
#   them on.
#
# All other settings get defaults that suit the data. `fit` prints them before it starts.

# %%
result = tfxfer.fit(
    data="my_digits",
    backbone="resnet10_small",
    finetune={"epochs": 10, "learning_rate": 0.001},
    augment={"flip": False},
    run="tutorial",
)

# %% [markdown]
# The same on the command line:
#
#     tfxfer fit --data my_digits --backbone resnet10_small --finetune-epochs 10 \
#       --finetune-learning-rate 0.001 --augment-flip false --run tutorial
#
# If training is interrupted, the same call resumes exactly where it stopped.

# %% [markdown]
# ## 4. Metrics and report
#
# `tfxfer.evaluate` computes the metrics on the test images, which played no part in training. The
# ranges in brackets are 95% confidence intervals.

# %%
print(tfxfer.evaluate(result.run).describe())

# %% [markdown]
# `fit` has also written a report: one HTML file with the learning curves, the confusion matrix,
# calibration, Grad-CAM and the mistakes. Open it in a browser:

# %%
print(result.run / "report.html")

# %% [markdown]
# ## 5. Look at the mistakes
#
# `predictions.csv` in the run's folder has one row per test image. Look at the most confident
# mistakes first: either the image is hard to read, or its label is wrong.

# %%
with open(result.run / "predictions.csv", newline="") as file:
    rows = list(csv.DictReader(file))
mistakes = [row for row in rows if row["predicted"] != row["label"]]
mistakes.sort(key=lambda row: float(row["confidence"]), reverse=True)

for row in mistakes[:5]:
    print(row["image"], "labeled", row["label"], "predicted", row["predicted"], row["confidence"])
show([row["image"] for row in mistakes[:5]])

# %% [markdown]
# The model has found the wrong label. Correct it and evaluate again:

# %%
wrong.rename(test / "4" / "corrected.png")
corrected = tfxfer.evaluate(result.run, data="my_digits", split="test")
print(f"test accuracy {result.metrics['test']['accuracy']:.4f} -> {corrected.accuracy:.4f}")

# %% [markdown]
# ## 6. Predict
#
# `tfxfer.predict` takes image files, folders and patterns, and yields the most probable classes.
# A file that cannot be read yields an error message and does not stop the others.

# %%
for prediction in tfxfer.predict(result.run, ["my_digits/test/*/07?5.png"], top=2):
    (label, probability), (second, less) = prediction.ranked
    print(f"{prediction.path}: {label} ({probability:.1%}), {second} ({less:.1%})")

# %% [markdown]
# ## 7. Export
#
# `fit` has already exported the model, to `result.export`. `tfxfer.export` makes another version
# or, as here, an export under another name. It publishes only after a check that the SavedModel
# gives the same predictions as the Keras model.

# %%
export = tfxfer.export(result.run, name="digits")
print(export)

# %% [markdown]
# ## 8. Use the SavedModel with TensorFlow alone
#
# The SavedModel takes the bytes of image files and returns labels and probabilities. Decoding,
# resizing and normalization are part of it, so that a client needs neither tfxfer nor Keras.

# %%
import tensorflow as tf

serve = tf.saved_model.load(str(export)).signatures["serving_default"]
files = [min((test / str(digit)).iterdir()) for digit in range(10)]
answer = serve(image_bytes=tf.constant([file.read_bytes() for file in files]))

show(files)
print([label.decode() for label in answer["label"].numpy()])
print(answer["probabilities"].shape)

# %% [markdown]
# TensorFlow Serving loads the same folder; `tfxfer export runs/tutorial` prints the commands that
# start a server and send it an image.
#
# ## Where to read on
#
# - [Data](data.md): all kinds of datasets, splits, class imbalance
# - [Fine-tuning](fine-tuning.md): what the two phases do, how much to unfreeze
# - [Evaluate and predict](evaluation.md): intervals, calibration
# - [Serving](serving.md): TensorFlow Serving, batching, Kubernetes
# - [FAQ](faq.md): which backbone, how few images are enough
# - `tfxfer --help` and `tfxfer fit --help`
