import numpy as np
import pytest
from made_texts import review
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from tfxfer.text.training.baseline import Baseline, fit_baseline


def data(num, first=0):
    texts = [review(first + n, n % 2 == 1) for n in range(num)]
    return texts, np.arange(num) % 2


def test_the_baseline_is_logistic_regression_on_weighted_words_and_pairs():
    train, validation, test = data(60), data(20, 500), data(30, 900)
    splits = {"train": train, "validation": validation, "test": test}
    found = fit_baseline(
        {name: texts for name, (texts, _) in splits.items()},
        {name: labels for name, (_, labels) in splits.items()},
        None,
    )
    # As scikit-learn has it in parts; texts of these few letters need no other tokens.
    clean = {
        name: [text.replace("<br />", " ").replace(".", "").replace("!", "") for text in texts]
        for name, (texts, _) in splits.items()
    }
    counting = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", min_df=3)
    tfidf = TfidfTransformer(sublinear_tf=True)
    x = tfidf.fit_transform(counting.fit_transform(clean["train"]))
    best = {}
    for strength in (1.0, 10.0):
        model = LogisticRegression(C=strength, max_iter=200).fit(x, train[1])
        scores = {
            name: model.score(tfidf.transform(counting.transform(clean[name])), splits[name][1])
            for name in ("validation", "test")
        }
        if scores["validation"] > best.get("validation", -1):
            best = scores
    assert dict(found.accuracy) == pytest.approx(best)
    assert Baseline.of_json(found.as_json()).accuracy == pytest.approx(best)


def test_few_texts_have_a_baseline_too():
    texts, labels = data(6)
    splits = {"train": texts, "validation": texts}
    found = fit_baseline(splits, dict.fromkeys(splits, labels), np.ones(6, np.float32))
    assert found.accuracy["validation"] == 1


def test_the_verdict_says_which_is_better():
    baseline = Baseline({"test": 0.9})
    assert baseline.verdict("test", 0.95).startswith("Better than TF-IDF with logistic regression")
    assert baseline.verdict("test", 0.9001).startswith("No better than")
    assert "by 2.5 points" in baseline.verdict("test", 0.875)
