from benchmark import stamp


def test_a_processor_is_told_apart_from_others_of_its_name_and_its_instructions_by_their_whole_names(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(stamp, "CPU_INFO", tmp_path / "cpuinfo")
    assert stamp.processor_name() and not stamp.processor_has("avx2")  # no such file, as on other systems
    first = "model name\t: AMD EPYC\nflags\t: fpu amx_bf16_next avx2\n"
    stamp.CPU_INFO.write_text(f"{first}cpu family : 25\nmodel\t: 17\n\nmodel name\t: another\nflags\t: amx_bf16\n")
    assert stamp.processor_name() == "AMD EPYC (family 25, model 17)"
    assert stamp.processor_has("amx_bf16", "avx2") and not stamp.processor_has("amx_bf16")
    stamp.CPU_INFO.write_text(first)
    assert stamp.processor_name() == "AMD EPYC"
