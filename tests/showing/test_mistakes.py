from tfxfer.showing.mistakes import wrong_predictions
from tfxfer.system.tables import write_table


def test_wrong_predictions_come_the_most_confident_first(tmp_path):
    path = tmp_path / "predictions.csv"
    assert wrong_predictions(path) == []
    rows = [["a", "x", "y", "0.6"], ["b", "x", "x", "0.99"], ["c", "y", "x", "0.9"]]
    write_table(path, ["id", "label", "predicted", "confidence"], rows)
    assert [row["id"] for row in wrong_predictions(path)] == ["c", "a"]
