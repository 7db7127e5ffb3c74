"""Whether the locked versions go together: decided on what the packages say, and written into the lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rigforge.errors import RigforgeError
from rigforge.lock.model import Decision, Lock, read, write
from rigforge.lock.resolve import resolve
from tests.lock.workshop import GPU, Workshop
from tests.sources.wheel_index import WheelIndex

CARDS = '[gpu]\nmodels = ["RTX 4090", "T4"]\n'
BLACKWELL = '[gpu]\nmodels = ["RTX 5090"]\n'


def test_the_lock_has_the_decision_and_its_reasons(workshop: Workshop, tmp_path: Path) -> None:
    lock = workshop.lock(workshop.stack(GPU, CARDS))
    assert lock.decision and lock.decision.verdict == "minor-compat"
    assert any("CUDA 12 needs 525.60.13 or later" in reason for reason in lock.decision.reasons)
    assert lock.decision.forced == ""
    write(lock, tmp_path / "rig.lock")
    assert read(tmp_path / "rig.lock") == lock


def test_a_stack_without_gpu_software_has_nothing_to_decide(workshop: Workshop) -> None:
    assert workshop.lock(workshop.stack()).decision is None


def test_a_lock_that_cannot_work_is_refused_with_what_would(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match="stack rig cannot work") as caught:
        workshop.lock(workshop.stack(GPU, BLACKWELL))
    assert "driver 535 does not drive compute capability 12.0 (GeForce RTX 5090)" in caught.value.message
    assert 'driver = "535.309.01" it would be driver 620' in caught.value.hint
    assert '--force "REASON"' in caught.value.hint


def test_forced_it_is_locked_with_the_reason(workshop: Workshop, tmp_path: Path) -> None:
    stack = workshop.stack(GPU, BLACKWELL)
    lock = resolve(stack, workshop.mirrors, forced="the driver comes from elsewhere")
    assert lock.decision and lock.decision.verdict == "impossible"
    assert lock.decision.forced == "the driver comes from elsewhere"
    write(lock, tmp_path / "rig.lock")
    assert read(tmp_path / "rig.lock") == lock


def test_of_an_unchanged_lock_it_is_decided_by_the_tables_of_today(workshop: Workshop) -> None:
    stack = workshop.stack(GPU, CARDS)
    lock = workshop.lock(stack)
    older = replace(lock, decision=Decision("unknown", ("PyTorch 2.10.0 is not in the tables of 2025",)))
    assert workshop.lock(stack, previous=older) == lock


def test_an_unchanged_lock_that_was_forced_keeps_its_reason(workshop: Workshop) -> None:
    stack = workshop.stack(GPU, BLACKWELL)
    lock = resolve(stack, workshop.mirrors, forced="the driver comes from elsewhere")
    assert workshop.lock(stack, previous=lock) == lock


def test_of_a_version_that_no_table_has_it_is_said_that_nothing_is_known(
    workshop: Workshop, wheels: WheelIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels.add("torch", "2.99.0", requires=["nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cudnn-cu12==9.10.2.21"])
    lock = workshop.lock(workshop.stack(GPU.replace("2.10.0", "2.99.0"), CARDS))
    assert lock.decision and lock.decision.verdict == "unknown"
    assert "PyTorch 2.99.0 is not in the tables" in capsys.readouterr().err


def test_what_the_wheels_say_of_themselves_wins_over_the_table(
    workshop: Workshop, wheels: WheelIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels.add("nvidia-cudnn-cu12", "9.11.0.98")
    wheels.add("torch", "2.9.1", requires=["nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cudnn-cu12==9.11.0.98"])
    stack = workshop.stack(GPU.replace("2.10.0", "2.9.1").replace("9.10.2.21", "9.11.0.98"), CARDS)
    lock = workshop.lock(stack)
    told = "bring cudnn 9.11.0.98, and the table has 9.10.2.21"
    assert told in " ".join(capsys.readouterr().err.split())
    assert lock.decision and any(reason.startswith("cuDNN 9.11.0.98") for reason in lock.decision.reasons)


def test_cards_that_only_the_table_would_allow_are_refused_for_what_the_wheels_say(
    workshop: Workshop, wheels: WheelIndex
) -> None:
    """cuDNN 9.11 has no code for Volta any more."""
    wheels.add("nvidia-cudnn-cu12", "9.11.0.98")
    wheels.add("torch", "2.9.1", requires=["nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cudnn-cu12==9.11.0.98"])
    wanted = GPU.replace("2.10.0", "2.9.1").replace("9.10.2.21", "9.11.0.98")
    with pytest.raises(RigforgeError, match=r"cuDNN 9\.11\.0\.98 has no code for compute capability 7\.0"):
        workshop.lock(workshop.stack(wanted, '[gpu]\nmodels = ["V100"]\n'))


def test_auto_takes_the_newest_that_goes_with_the_cards_and_the_archives(workshop: Workshop) -> None:
    auto = GPU.replace('version = "2.10.0"', 'version = "auto"').replace('version = "12.8"', 'version = "auto"')
    lock = workshop.lock(workshop.stack(auto, CARDS))
    assert _chosen(lock) == ("2.10.0", "12.8.90")


def test_auto_that_nothing_fits_is_refused(workshop: Workshop) -> None:
    auto = GPU.replace('version = "2.10.0"', 'version = "auto"')
    with pytest.raises(RigforgeError, match="there is nothing to choose") as caught:
        workshop.lock(workshop.stack(auto, BLACKWELL))
    assert "GeForce RTX 5090" in caught.value.message


def test_containers_have_no_driver_of_their_own(workshop: Workshop) -> None:
    bare = GPU.replace('provider = "apt"\nversion = "535.309.01"', 'provider = "none"')
    lock = workshop.lock(workshop.stack(bare, CARDS))
    assert lock.decision and lock.decision.verdict == "no driver"


def test_an_unknown_card_in_a_stack_is_told_with_the_stack(workshop: Workshop) -> None:
    with pytest.raises(RigforgeError, match=r"stack rig: \[gpu\] models: GPU 'RTX 5O90' is not known"):
        workshop.lock(workshop.stack(GPU, '[gpu]\nmodels = ["RTX 5O90"]\n'))


@pytest.mark.parametrize("card", ["DGX Spark", "GH200", "GB300"])
def test_a_chip_beside_an_arm_processor_is_in_no_amd64_machine(workshop: Workshop, card: str) -> None:
    with pytest.raises(RigforgeError, match=r"stack rig: \[gpu\] models: G.* processor of arm64.* is for amd64"):
        workshop.lock(workshop.stack(GPU, f'[gpu]\nmodels = ["RTX 4090", "{card}"]\n'))


def _chosen(lock: Lock) -> tuple[str, str]:
    return lock.versions["pytorch"], lock.versions["cuda"]
