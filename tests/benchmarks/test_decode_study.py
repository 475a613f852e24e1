"""benchmarks.decode_study: accuracies are compared before times."""

import pytest

from benchmarks.decode_study import WAYS, check, compare, make_study, ours, part_of


@pytest.mark.parametrize("name", WAYS)
def test_accuracies_of_both_agree(name):
    study = make_study(1)
    table = ours(study, WAYS[name], n_permutations=3)
    assert len(table) == 10
    assert table["p_corrected"].notna().all() == ("max" in WAYS[name].correct)
    check(study, table, WAYS[name].peer)


def test_other_accuracies_are_refused():
    study = make_study(1)
    table = ours(study, WAYS["lda,max"], n_permutations=2)
    with pytest.raises(ArithmeticError, match="row 0, scikit-learn's"):
        check(study, table.assign(score=table["score"] - 0.1), WAYS["lda,max"].peer)


def test_a_row_is_of_its_region_and_pair():
    study = make_study(2)
    table = ours(study, WAYS["lda,max"], n_permutations=2)
    x, y, runs = part_of(study, table.iloc[-1])
    assert x.shape == (96, 200)
    assert (study.responses.values[:, 200:] == x[0].astype("float32")).all(axis=1).any()
    assert (y.sum(), len(set(runs))) == (48, 12)


def test_both_are_timed():
    taken = compare(make_study(1), WAYS["svm,fdr"], n_permutations=4)
    assert min(taken) > 0
