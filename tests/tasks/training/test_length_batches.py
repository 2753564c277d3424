from tasks.training.length_batches import LengthBatches


def test_every_row_comes_once_an_epoch_among_rows_of_its_length():
    lengths = [3, 9, 4, 9, 3, 4, 3]
    batches = LengthBatches(lengths, batch_size=2, seed=0)
    first, second = list(batches), list(batches)
    assert len(batches) == len(first) == 4
    assert sorted(i for batch in first for i in batch) == list(range(7))
    by_length = sorted(sorted(lengths[i] for i in batch) for batch in first)
    assert by_length == [[3, 3], [3, 4], [4, 9], [9]]
    assert first != second
    assert list(LengthBatches(lengths, batch_size=2, seed=0)) == first


def test_an_epoch_is_the_same_whether_it_was_reached_or_gone_to():
    lengths = [3, 9, 4, 9, 3, 4, 3]
    batches = LengthBatches(lengths, batch_size=2, seed=0)
    epochs = [list(batches) for _ in range(3)]
    later = LengthBatches(lengths, batch_size=2, seed=0)
    later.set_epoch(2)
    assert list(later) == epochs[2]
    later.set_epoch(1)
    assert list(later) == epochs[1]
