"""Builds of PyTorch from everywhere, on cards and drivers: what is foretold, and which build would work."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rigforge.compat.diagnosis import Finding, diagnose
from rigforge.compat.gpu import find
from rigforge.compat.gpu_code import targets
from rigforge.compat.inventory import Inventory, Loaded
from rigforge.compat.pytorch import InstalledPytorch

FROM_NV = ("sm_75", "sm_80", "sm_86", "sm_90", "compute_90")


def machine(
    gpu: str,
    driver: str,
    version: str,
    cuda: str,
    cudnn: str = "",
    code: tuple[str, ...] = (),
    installer: str = "pip",
    own_cuda: str = "",
) -> Inventory:
    """A machine with one card, whose driver and PyTorch are as they are told."""
    found_in = "/x/torch/lib/libtorch_cuda.so" if code else ""
    pytorch = InstalledPytorch(
        "/x/bin/python3", "3.12", version, cuda, cudnn, targets(code), found_in, installer=installer
    )
    card = find(gpu)
    module = "open" if card.capability >= (7, 5) else "proprietary"
    loaded = Loaded(driver, module) if driver else None  # type: ignore[arg-type]
    found = Inventory((card,), (), loaded, False, driver, "", pytorch)
    return replace(found, interpreter="/x/bin/python3", cuda=own_cuda)


def of_pytorch(machine: Inventory) -> Finding:
    return diagnose(machine)[-1]


@pytest.mark.parametrize(
    ("gpu", "driver", "version", "cuda", "says"),
    [
        ("5090", "570.133.07", "2.6.0+cu124", "12.4", "no code for compute capability 12.0"),
        ("5090", "580.95.05", "2.5.1+cu121", "12.1", "no code for compute capability 12.0"),
        ("5090", "580.95.05", "1.12.1+cu113", "11.3", "no code for compute capability 12.0"),
        ("B200", "570.133.20", "2.7.1+cu118", "11.8", "no code for compute capability 10.0"),
        ("GB10", "580.95.05", "2.6.0a0+git3f2a1b2", "12.4", "no code for compute capability 12.1"),
        ("1080 Ti", "580.95.05", "2.8.0+cu128", "12.8", "no code for compute capability 6.1"),
        ("1080 Ti", "570.133.07", "2.9.0", "12.8", "no code for compute capability 6.1"),
        ("V100", "580.95.05", "2.9.0+cu130", "13.0", "no code for compute capability 7.0"),
        ("GTX 980", "580.95.05", "2.11.0.dev20260101+cu130", "13.0", "CUDA 13 has no code for compute capability 5.2"),
        ("3090", "560.35.03", "2.11.0", "13.0.96", "CUDA 13 needs driver 580 or later"),
        ("3090", "525.60.11", "2.6.0", "12.4.127", "CUDA 12 needs driver 525.60.13 or later"),
        ("3090", "470.256.02", "2.3.1+cu121", "12.1", "CUDA 12 needs driver 525.60.13 or later"),
        ("3090", "460.91.03", "2.3.1+cu121", "12.1", "CUDA 12 needs driver 525.60.13 or later"),
        ("3090", "580.95.05", "3.0.0+cu140", "14.0", "that driver's own is CUDA 13.0"),
    ],
)
def test_what_cannot_work_is_foretold_by_version_and_number(
    gpu: str, driver: str, version: str, cuda: str, says: str
) -> None:
    finding = of_pytorch(machine(gpu, driver, version, cuda))
    assert (finding.status, says in finding.message) == ("failed", True), finding
    assert finding.cure.startswith("install PyTorch"), finding


@pytest.mark.parametrize(
    ("gpu", "driver", "version", "cuda"),
    [
        ("5090", "570.133.07", "2.7.0+cu128", "12.8"),
        ("5090", "575.57.08", "2.8.0+cu129", "12.9"),
        ("5090", "620.70.06", "2.15.0", "13.2.86"),
        ("5090", "620.70.06", "2.15.0+cu132", "13.2"),
        ("5090", "999.10.01", "2.15.0", "13.2.86"),
        ("5090", "999.10.01", "9.0.0", "20.0"),
        ("4090", "520.61.05", "2.0.1+cu118", "11.8"),
        ("3090", "470.256.02", "2.1.2+cu118", "11.8"),
        ("3090", "560.35.03", "2.6.0+cu126", "12.6"),
        ("3090", "545.23.08", "2.10.0", "12.8.90"),
        ("3090", "555.42.06", "2.5.1", "12.4"),
        ("1080 Ti", "470.256.02", "1.13.1+cu117", "11.7"),
        ("1080 Ti", "535.309.01", "2.12.0+cu126", "12.6"),
        ("V100", "535.309.01", "1.9.0+cu102", "10.2"),
        ("H100", "550.54.15", "2.4.0a0+f70bd71a48.nv24.06", "12.5"),
        ("H200", "585.10.01", "2.9.0", "12.8"),
        ("A100", "601.10", "2.12.0.dev20260301+cu130", "13.0"),
    ],
)
def test_what_may_well_work_is_no_fault(gpu: str, driver: str, version: str, cuda: str) -> None:
    wrong = [finding for finding in diagnose(machine(gpu, driver, version, cuda)) if finding.status != "ok"]
    assert wrong == []


@pytest.mark.parametrize(
    ("gpu", "version", "cuda", "code", "status", "says"),
    [
        (
            "4090",
            "2.6.0a0+ecf3bae40a.nv25.01",
            "12.8",
            FROM_NV,
            "ok",
            "code for sm_75, sm_80, sm_86, sm_90, compute_90",
        ),
        ("5090", "2.6.0a0+ecf3bae40a.nv25.01", "12.8", FROM_NV, "ok", "native on this driver"),
        (
            "5090",
            "2.7.0a0+git3f2a1b2",
            "12.8",
            ("sm_90",),
            "failed",
            "is for sm_90, as libtorch_cuda.so itself",
        ),
        ("5090", "2.7.0a0+git3f2a1b2", "12.8", ("sm_120",), "ok", "sm_120"),
        ("GB10", "2.7.0a0+git3f2a1b2", "12.9", ("sm_120",), "ok", "sm_120"),
        ("5090", "2.7.0a0+git3f2a1b2", "12.9", ("sm_121",), "failed", "no kernel image"),
        ("GB10", "2.7.0a0+git3f2a1b2", "12.9", ("sm_120a",), "failed", "no kernel image"),
        ("GB10", "2.7.0a0+git3f2a1b2", "12.9", ("sm_120f",), "ok", "sm_120f"),
        ("4090", "2.7.0a0+git3f2a1b2", "12.9", ("sm_86",), "ok", "sm_86"),
        ("T4", "2.7.0a0+git3f2a1b2", "12.9", ("sm_70",), "ok", "sm_70"),
        ("T4", "2.7.0a0+git3f2a1b2", "12.9", ("sm_80",), "failed", "no kernel image"),
        # What the binary has goes before the table, which has sm_50 to sm_90 for this version.
        ("5090", "2.6.0", "12.4.127", ("sm_120",), "ok", "sm_120"),
        ("T4", "2.6.0", "12.4.127", ("sm_90",), "failed", "is for sm_90, as libtorch_cuda.so itself"),
    ],
)
def test_the_binary_says_what_its_code_is_for(
    gpu: str, version: str, cuda: str, code: tuple[str, ...], status: str, says: str
) -> None:
    finding = of_pytorch(machine(gpu, "580.95.05", version, cuda, code=code))
    assert (finding.status, says in finding.message) == (status, True), finding


def test_by_the_table_is_said_so() -> None:
    finding = of_pytorch(machine("4090", "580.95.05", "2.6.0+cu124", "12.4"))
    assert "code for sm_50, sm_60, sm_70, sm_75, sm_80, sm_86, sm_90, by the table of 20" in finding.message


def test_condas_builds_have_other_code_than_the_table_says() -> None:
    foretold = machine("1080 Ti", "580.95.05", "2.8.0", "12.8", installer="conda")
    assert of_pytorch(foretold).status == "ok"


@pytest.mark.parametrize(
    ("gpu", "cudnn", "status"),
    [
        ("1080 Ti", "9.10.2.21", "ok"),
        ("1080 Ti", "9.12.0.46", "failed"),
        ("5090", "9.1.0.70", "failed"),
        ("5090", "9.7.1.26", "ok"),
        ("4090", "9.1.0.70", "ok"),
        ("4090", "8.5.0.96", "ok"),
    ],
)
def test_cudnn_has_its_own_code(gpu: str, cudnn: str, status: str) -> None:
    everything = ("sm_60", "sm_80", "sm_120")
    assert of_pytorch(machine(gpu, "580.95.05", "2.7.0+cu126", "12.6", cudnn, code=everything)).status == status


def test_text_that_an_older_driver_would_have_to_compile_is_no_code() -> None:
    finding = of_pytorch(machine("5090", "580.95.05", "2.13.0a0+git3f2a1b2", "13.2", code=FROM_NV))
    assert finding.status == "failed"
    assert (
        "only compute_90, which driver 580.95.05 would have to compile: it is older than CUDA 13.2" in finding.message
    )


def test_libraries_of_forward_compatibility_run_what_the_module_alone_would_not() -> None:
    in_a_container = machine("A100", "470.129.06", "2.4.0+cu121", "12.1")
    assert of_pytorch(in_a_container).status == "failed"
    assert of_pytorch(replace(in_a_container, user_space="")).status == "ok"


def test_a_newer_driver_says_itself_which_cuda_it_has() -> None:
    assert of_pytorch(machine("5090", "700.10.01", "3.0.0", "14.0", own_cuda="14.1")).status == "ok"
    finding = of_pytorch(machine("5090", "700.10.01", "3.0.0", "15.0", own_cuda="14.1"))
    assert "that driver's own is CUDA 14.1" in finding.message


@pytest.mark.parametrize(
    ("gpu", "driver", "version", "cuda", "cure"),
    [
        (
            "5090",
            "570.133.07",
            "2.6.0+cu124",
            "12.4",
            r"install PyTorch 2\.1\d\.\d(\+cu128)?: /x/bin/python3 -m pip install torch==2\.1\d\.\d",
        ),
        (
            "1080 Ti",
            "580.95.05",
            "2.8.0+cu128",
            "12.8",
            r"install PyTorch 2\.14\.1\+cu126: /x/bin/python3 -m pip install torch==2\.14\.1"
            " --index-url with PyTorch's own index for cu126",
        ),
    ],
)
def test_the_cure_is_the_newest_build_that_this_driver_and_card_run(
    gpu: str, driver: str, version: str, cuda: str, cure: str
) -> None:
    assert re.match(cure, of_pytorch(machine(gpu, driver, version, cuda)).cure)


def test_a_driver_too_old_for_everything_is_cured_with_pytorch() -> None:
    finding = of_pytorch(machine("3090", "390.157", "2.3.1+cu121", "12.1"))
    assert ", and install driver " in finding.cure


def test_a_driver_that_does_not_drive_the_card_is_told_once() -> None:
    found = diagnose(machine("5090", "535.309.01", "2.15.0", "13.2"))
    assert [finding.status for finding in found] == ["ok", "failed", "ok"]


@pytest.mark.parametrize("cuda", ["rubbish", "12", "1" * 5000, "-1.99", "12.4\x1b[2J"])
def test_rubbish_for_a_version_is_no_traceback(cuda: str) -> None:
    assert of_pytorch(machine("4090", "580.95.05", "1" * 5000, cuda, cudnn=cuda, own_cuda=cuda)).status in (
        "ok",
        "failed",
    )
