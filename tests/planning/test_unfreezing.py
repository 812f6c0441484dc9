import pytest

from tfxfer.planning.unfreezing import Part, gradual_parts


@pytest.mark.parametrize("count", [1, 2, 3, 5, 19])
@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 10, 40])
def test_the_parts_have_all_epochs_and_end_with_all_stages(count, epochs):
    stages = [str(number) for number in range(count)]
    parts = gradual_parts(stages, epochs)
    assert [part.first for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == epochs
    assert parts[-1].unfreeze == "0"
    assert len(parts) == min(count, epochs)
    firsts = [stages.index(part.unfreeze) for part in parts]
    assert firsts == sorted(firsts, reverse=True)
    assert len(set(firsts)) == len(firsts)
    lengths = [part.end - part.first for part in parts]
    assert min(lengths) >= 1
    assert len(set(lengths[:-1])) <= 1
    assert lengths[-1] - lengths[0] < len(parts)
    # The stages are divided evenly, too.
    more = [before - after for before, after in zip([count, *firsts], firsts, strict=False)]
    assert max(more) - min(more) <= 1


def test_a_checkpoint_belongs_to_the_part_whose_optimizer_it_has():
    parts = [Part("c", 0, 2), Part("b", 2, 4), Part("a", 4, 7)]
    cases = {
        (0, 0): "c",
        (0, 3): "c",
        (1, 0): "c",
        (2, 0): "c",
        (2, 1): "b",
        (4, 0): "b",
        (4, 1): "a",
        (7, 0): "a",
    }
    for (epoch, step), stage in cases.items():
        assert [part.unfreeze for part in parts if part.has(epoch, step)] == [stage]
    assert not any(part.has(8, 0) for part in parts)
