"""The plain baseline beside every fit on texts: TF-IDF with logistic regression."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse
import threadpoolctl

from tfxfer.text.data.source import LINE_BREAK
from tfxfer.text.models.vocabulary import tokens_of

# Inverse regularization strengths that are tried; validation chooses. scikit-learn's default is 1.
_STRENGTHS = (1.0, 10.0)

# Pairs of words that are seen in fewer training texts say little about others.
_MIN_TEXTS = 3

# What the summary says that a network must beat.
NAME = "TF-IDF with logistic regression"


@dataclass(frozen=True)
class Baseline:
    """The scores of the baseline.

    Attributes:
        accuracy: By split, in [0, 1].
    """

    accuracy: Mapping[str, float]

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record that `as_json` wrote."""
        return cls(dict(content["accuracy"]))

    def as_json(self) -> dict[str, Any]:
        """Returns its content in `metrics.json`."""
        return {
            "name": NAME,
            "accuracy": {name: round(share, 6) for name, share in self.accuracy.items()},
        }

    def verdict(self, split: str, accuracy: float) -> str:
        """Returns a sentence on whether a network is better than the baseline.

        Args:
            split: The split on which they are compared.
            accuracy: Accuracy of the network on it.

        Examples:
            >>> Baseline({"test": 0.88}).verdict("test", 0.91)
            'Better than TF-IDF with logistic regression (test accuracy 0.8800) by 3.0 points.'
        """
        theirs = self.accuracy[split]
        points = 100 * (accuracy - theirs)
        plain = f"{NAME} ({split} accuracy {theirs:.4f})"
        if round(points, 1) > 0:
            return f"Better than {plain} by {points:.1f} points."
        if round(points, 1) == 0:
            return f"No better than {plain}, which is smaller and faster: serve that instead."
        return f"Worse than {plain} by {-points:.1f} points: do not serve this network."


def fit_baseline(
    texts: Mapping[str, Sequence[str]],
    labels: Mapping[str, npt.NDArray[np.int64]],
    weights: npt.NDArray[np.float32] | None,
) -> Baseline:
    """Fits words and pairs of words of the training texts; returns the accuracy on other splits.

    Words are weighted by TF-IDF with logarithmic term frequencies (Manning, Raghavan & Schuetze
    2008, Introduction to Information Retrieval, section 6.4.1).

    Args:
        texts: The texts by split; "train" and "validation" are among them.
        labels: Class indices by split.
        weights: Sample weights of the training texts.
    """
    # Slow to import, and not needed to read results.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    few = len(texts["train"]) < _MIN_TEXTS**3
    vectorizer = TfidfVectorizer(
        analyzer=_words, sublinear_tf=True, min_df=1 if few else _MIN_TEXTS, dtype=np.float32
    )
    matrices: dict[str, scipy.sparse.csr_matrix] = {
        "train": vectorizer.fit_transform(texts["train"])
    }
    matrices |= {name: vectorizer.transform(x) for name, x in texts.items() if name != "train"}
    best, accuracy = -1.0, {"validation": 0.0}
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        for strength in _STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=200, random_state=0)
            model.fit(matrices["train"], labels["train"], sample_weight=weights)
            found = {
                name: float(np.mean(model.predict(matrix) == labels[name]))
                for name, matrix in matrices.items()
                if name != "train"
            }
            if found["validation"] > best:
                best, accuracy = found["validation"], found
    return Baseline(accuracy)


def _words(text: str) -> list[str]:
    """Returns the words of a text and their pairs, as the network's layers split them."""
    words = tokens_of(LINE_BREAK.sub(" ", text))
    return words + [f"{one} {other}" for one, other in itertools.pairwise(words)]
