from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from segmentation.data.sampler import EpochSampler, RankSampler

sizes = st.integers(1, 60)


@given(length=sizes, per_rank=st.integers(1, 5), ranks=st.integers(1, 4), epoch=st.integers(0, 3))
def test_ranks_share_each_global_batch_of_one_process(length, per_rank, ranks, epoch):
    batch = per_rank * ranks

    def order(rank, of):
        sampler = EpochSampler(length, batch, seed=0, rank=rank, ranks=of)
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler)
        return keys

    alone = order(0, 1)
    shared = [order(rank, ranks) for rank in range(ranks)]
    for start in range(0, len(alone), batch):
        mine = start // ranks
        together = [key for keys in shared for key in keys[mine : mine + per_rank]]
        assert sorted(together) == sorted(alone[start : start + batch])
    assert len(alone) % batch == 0
    if length >= batch:
        assert max(Counter(alone).values()) == 1


def test_the_order_follows_from_seed_and_epoch():
    def order(seed, epoch):
        sampler = EpochSampler(50, 5, seed)
        sampler.set_epoch(epoch)
        return [index for _, index in sampler]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)
    assert order(0, 2) != order(1, 1)  # seed and epoch are not added up
    assert order(0, 1) != order(1, 0)


@given(length=sizes, ranks=st.integers(1, 4))
def test_scoring_reaches_every_image_and_ranks_get_equally_many(length, ranks):
    parts = [list(RankSampler(length, rank, ranks)) for rank in range(ranks)]
    assert {len(part) for part in parts} == {-(-length // ranks)}
    assert {index for part in parts for index in part} == set(range(length))


@given(
    length=sizes,
    per_rank=st.integers(1, 5),
    ranks=st.integers(1, 3),
    epoch=st.integers(0, 3),
    part=st.floats(0, 1),
)
def test_what_was_seen_is_left_out_once(length, per_rank, ranks, epoch, part):
    for rank in range(ranks):
        fresh = EpochSampler(length, per_rank * ranks, 0, rank, ranks)
        whole = {}
        for one in (epoch, epoch + 1):
            fresh.set_epoch(one)
            whole[one] = list(fresh)
        seen = round(part * len(fresh))
        sampler = EpochSampler(length, per_rank * ranks, 0, rank, ranks, epoch, seen)
        assert len(sampler) == len(fresh)
        assert list(sampler) == whole[epoch][seen:]
        assert list(sampler) == whole[epoch]
        sampler.set_epoch(epoch + 1)
        assert list(sampler) == whole[epoch + 1]
