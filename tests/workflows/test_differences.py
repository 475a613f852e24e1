"""workflows.differences: what participants differ in is named, with values and people."""

from bids_dnn.workflows.differences import differences


def sidecar(*, n_runs=5, networks=None, regions=("V1",), **settings):
    told = {"regions": [{"name": name, "rule": "benson:V1@0-{deg}"} for name in regions]}
    return {
        "Settings": told | {"responses": {"model": "lsa"}, "decode": {"c": 1.0} | settings},
        "Facts": {"ingest": {"n_runs": n_runs}},
        "Networks": networks or {},
    }


def test_those_who_are_alike_give_no_warning():
    assert differences("decode", {"01": sidecar(), "02": sidecar(units=None)}) == []
    own = sidecar()
    own["Settings"]["regions"][0]["rule"] = "benson:V1@0-3deg"  # a value of participants.tsv
    assert differences("decode", {"01": sidecar(), "02": own}) == []
    assert differences("decode", {"01": sidecar()}) == differences("decode", {}) == []


def test_each_setting_is_named_with_its_values_and_people():
    (said,) = differences(
        "decode",
        {
            "01": sidecar(units={"top": 500}),
            "02": sidecar(units={"top": 100}, n_runs=4),
            "03": sidecar(networks={"net": {"weights_sha256": "ab"}}, regions=["V1", "V4"]),
            "04": sidecar(units={"top": 500}),
        },
    )
    for part in (
        "regions (['V1']: sub-01, sub-02, sub-04; ['V1', 'V4']: sub-03)",
        "decode.units.top (500: sub-01, sub-04; 100: sub-02; not told: sub-03)",
        "networks.net.weights_sha256 (not told: sub-01, sub-02, sub-04; ab: sub-03)",
        "number of runs (5: sub-01, sub-03, sub-04; 4: sub-02)",
    ):
        assert part in said
    assert said.startswith("decode: participants differ in ")


def test_many_differences_are_cut_and_counted():
    many = {f"{k:02}": sidecar(**{f"s{j}": f"{k} {'x' * 80}" for j in range(8)}) for k in range(6)}
    (said,) = differences("decode", many)
    assert said.endswith("2 other values), and 3 more.")
    assert f"0 {'x' * 54} ...: sub-00" in said
