from benchmark import processor


def test_processors_of_one_name_are_told_apart(monkeypatch):
    told = {"model name": "AMD EPYC", "cpu family": "25", "model": "17"}
    monkeypatch.setattr(processor, "_told", lambda key: told.get(key, ""))
    assert processor.name() == "AMD EPYC (family 25, model 17)"
    del told["model"]
    assert processor.name() == "AMD EPYC"


def test_instructions_are_found_by_their_whole_names(monkeypatch):
    monkeypatch.setattr(processor, "_told", lambda key: "fpu amx_bf16_next avx2" if key == "flags" else "")
    assert not processor.has("amx_bf16")
    assert processor.has("amx_bf16", "avx2")
