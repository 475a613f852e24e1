"""config.explain: what is wrong with a setting, in our words, with a line that is taken."""

import re
import tomllib

import pytest

from bids_dnn.config.load import load
from bids_dnn.config.schema import Config
from bids_dnn.config.section import Section
from bids_dnn.errors import ConfigError

LINE = re.compile(r"(?:Under \[(.+?)\] in analysis\.toml, type|Type): (\w+ = .*)$")
FOREIGN = ("valid", "nput", "instance", "constrained", "function-", "tuple", "dict", "[key]")
SETTINGS = [
    (section, key)
    for section, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    for key in field.annotation.model_fields
]


def refused(told):
    with pytest.raises(ConfigError) as err:
        load(None, told)
    return str(err.value)


@pytest.mark.parametrize(
    ("told", "found", "line"),
    [
        ("search = { c = 1 }", "a list of numbers", "search = { c = [1] }"),
        ("search = { cc = [1] }", "has the key 'cc'", "search = { c = [1] }"),
        ("search = [1]", "it must be a table", "search = { c = [0.01, 1, 100] }"),
        ('comparisons = [["face", "house"]]', "texts in q", 'comparisons = ["face vs house"]'),
        ('comparisons = "a vs b"', "a list of texts", 'comparisons = ["a vs b"]'),
        ("permutations = 0", "a whole number, at least 1", "permutations = 1000"),
        ('blank = "yes please"', "true or false", "blank = false"),
        ("units = 500", "a table of top, percent, above", "units = { top = 500 }"),
        ('correct = "max"', 'each "max" or "fdr"', 'correct = ["max"]'),
        ("shrinkage = 2", 'a number, above 0, at most 1 or "auto"', 'shrinkage = "auto"'),
    ],
)
def test_a_value_is_told_with_what_it_must_be_and_a_line(told, found, line):
    said = refused({"decode": tomllib.loads(told)})
    assert found in said
    assert said.endswith(f"Under [decode] in analysis.toml, type: {line}")


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"decode": {"units": {}}}, r"units takes top.* Type units = \{ top = 500 \}"),
        ({"decode": {"units": {"top": 1}}}, r"at least 3.*Under \[decode.units\].*: top = 3"),
        ({"decode": {"correct": ["bh"]}}, r"has 'bh' in it. There are: fdr, max"),
        ({"decode": 3}, r"decode is 3, where a section is expected. Write \[decode\]"),
        ({"networks": {"a": 3}}, r"networks.a is 3.* Write \[networks.a\]"),
        ({"networks": {}}, r"\[networks\] is empty"),
        ({"responses": {"fir_window_s": [1]}}, r"a list of 2 numbers.*= \[4.0, 8.0\]"),
        ({"twin": {"snr": [-1]}}, r"each a number, above 0 or \"inf\""),
        ({"run": {"work_dir": 5}}, r"run.work_dir is 5; it must be a path"),
        ({"run": {"session_label": 1}}, r'session_label = \["1"\]'),
        (
            {"run": {"derivatives": {"a": 1}}},
            r"derivatives.a is 1; .*\[run.derivatives\].*: a = \"1",
        ),
        ({"run": {"derivatives": {"b c": [1]}}}, r"type: \"b c\" = \"PATH\"$"),
        ({"run": {"derivatives": 3}}, r"names = a path in quotes.*: derivatives = \{ NAME = "),
        ({"regions": {"A": "a", "V1": 5}}, r"regions.V1 is 5; .*: V1 = \"mask:V1\"$"),
        ({"regions": {"A": "a", "V1": ["b"]}}, r"\[regions\] in analysis.toml, type: V1 = \"b\"$"),
        ({"regions": 5}, r"regions is 5; .* Type: regions = \{ NAME = \"mask:V1\" \}$"),
    ],
)
def test_sections_tables_and_paths(told, match):
    assert re.search(match, refused(told))


@pytest.mark.parametrize(("section", "key"), SETTINGS, ids=str)
def test_no_setting_speaks_the_words_of_pydantic_and_each_line_is_taken(section, key):
    """Lists of tables are no setting's value."""
    said = refused({section: {key: [{"x": ["y"]}]}})
    description = getattr(Config(), section).__class__.model_fields[key].description or ""
    plain = said.replace(description.rstrip("."), "").replace(key, "")
    assert not [word for word in FOREIGN if word in plain]
    if found := LINE.search(said):
        Config.model_validate({found[1]: tomllib.loads(found[2])})
