"""What all pages have alike; `images/test_replies.py` and those of texts test the rest."""

from tfxfer.showing.replies import Replies


class Words(Replies):
    """A page of single words, without corrections."""

    noun = "word"
    parts = 2
    corrections = None
    class_names = ("a", "b")

    def answer(self, given):
        return given.upper(), "more"

    def checked(self, given):
        return given


def test_a_request_has_its_reply():
    assert Words().reply("answer", ["tree"]) == ("TREE", "more")
    assert Words().reply("count", []) == ("",)
    assert "not kept" in Words().reply("keep", ["tree", "a"])[0]


def test_the_page_survives_a_failing_model(capsys):
    answer = Words().reply("answer", [7])
    assert len(answer) == 2
    assert "failed on this word" in answer[0]
    assert answer[1] == ""
    assert "AttributeError" in capsys.readouterr().err
