"""report.ceilings: what the section on noise ceilings says."""

import numpy as np
import pandas as pd

from bids_dnn.containers.result import Result
from bids_dnn.report.ceilings import ceiling_answer, ceiling_section

ROWS = {
    "region": ["V1", "noise"],
    "method": ["ncsnr", "ncsnr"],
    "score": [0.81, -0.02],
    "ceiling": [0.9, np.nan],
    "item": ["stimulus", "stimulus"],
    "n_repeated_items": [40, 40],
    "n_repeats": [3.0, 3.0],
}


def test_the_answer_names_ceilings_and_regions_without_one():
    answer = ceiling_answer(pd.DataFrame(ROWS))
    assert "(ncsnr): V1 0.90; noise no better than noise." in answer
    assert "40 names of stimuli, 3 repeats on average" in answer


def test_without_repeats_nothing_is_claimed():
    table = pd.DataFrame(ROWS | {"n_repeated_items": [0, 0], "ceiling": [np.nan, np.nan]})
    assert ceiling_answer(table) == "Nobody can tell: nothing was shown twice."


def test_the_section_holds_the_whole_table():
    table = pd.DataFrame(ROWS)
    made = Result("ceiling", table, {name: f"{name}." for name in table})
    section = ceiling_section(made, link="x.tsv")
    assert section.tables[0].link == "x.tsv"
    assert len(section.tables[0].rows) == 2
