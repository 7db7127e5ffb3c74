"""Findings of a burn-in, as checks with why and fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rigforge.doctor.burn_in.record import BurnInRecord, Sample
from rigforge.doctor.check import Check, Topic
from rigforge.doctor.checks.bus import RESEAT
from rigforge.doctor.checks.kernel_log import Xids, decoded
from rigforge.doctor.checks.thermal import MARGIN, REASONS, USUAL_LIMIT
from rigforge.doctor.nvml import NvmlGpu
from rigforge.rules.sizes import in_gib

WORK = Topic("work", "A GPU that stops in the middle of work stops in the middle of training.")
RESULTS = Topic("results", "A GPU that computes the same twice and gets two results spoils models without a word.")
MEMORY = Topic("gpu-memory", "What is written to memory must still be there seconds later, under heat.")
LOAD = Topic("load", "Only a GPU that was busy all the time was tested.")
TEMPERATURE = Topic("temperature", "At its limit a GPU lowers its clocks, and training slows down without a word.")
CLOCKS = Topic("clocks", "The driver says itself why clocks are lower than they could be.")
LINK = Topic("link", "Idle GPUs let their link fall asleep: only under load it shows how fast data reach them.")
ERRORS = Topic("errors", "The driver writes every GPU fault to the kernel log, and counts errors of ECC memory.")

#: Percent of the time in which the GPU did something, below which it was not at full load.
BUSY = 90
#: NVML's bit for "held by the power limit", which is how a healthy card runs under full load (nvml.h).
POWER_CAP = 0x04

_WEAK = "lower its power limit or clocks and run it again; if it stays, replace the card or its power supply"

_ASK_THE_KERNEL = "read what the kernel says of it: sudo dmesg | grep -i -e nvrm -e oom"


def findings(
    records: Sequence[BurnInRecord], seconds: float, duration: float, xids: tuple[Xids | None, Xids | None]
) -> tuple[Check, ...]:
    """Returns the checks. `seconds` of the `asked` ones were done; `xids` are those before and after."""
    gpus = [record for record in records if record.before]
    return (
        _work(records, seconds, duration),
        *_each(RESULTS, [record for record in records if record.formats], _results, _products),
        *_each(MEMORY, [record for record in records if record.patterns], _memory, _patterns),
        *_each(LOAD, [record for record in gpus if record.under_load()], _load, _busy),
        *_each(TEMPERATURE, [record for record in gpus if record.under_load()], _temperature, _hottest),
        *_each(CLOCKS, [record for record in gpus if record.under_load()], _clocks, _clock_range),
        *_each(LINK, [record for record in gpus if record.under_load()], _link, _best_link),
        _errors(gpus, *xids),
    )


def clock(seconds: float) -> str:
    """Returns a time as it is on a clock.

    >>> clock(192)
    '3:12'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _each(
    topic: Topic,
    records: Sequence[BurnInRecord],
    troubles: Callable[[BurnInRecord], Iterable[Check]],
    figure: Callable[[BurnInRecord], str],
) -> Iterator[Check]:
    if not records:
        yield topic.not_applicable("nothing was measured")
        return
    figures = "; ".join(f"{record.label}: {figure(record)}" for record in records)
    yield topic.worst((trouble for record in records for trouble in troubles(record)), figures)


def _work(records: Sequence[BurnInRecord], seconds: float, duration: float) -> Check:
    troubles = []
    for record in records:
        if record.trouble:
            crowded = record.trouble.startswith("out of memory")
            fix = "end the other programs on the GPU (nvidia-smi lists them)" if crowded else _ASK_THE_KERNEL
            troubles.append(WORK.failed(f"{record.label}: {record.trouble}", f"{fix}; then run it again"))
    if not troubles and not seconds:
        return WORK.not_applicable("stopped before the load began")
    done = clock(seconds) if seconds >= duration else f"{clock(seconds)} of {clock(duration)}, then it was stopped"
    where = "" if records[0].before else ", on the processor: this tries the program, it does not test the machine"
    return WORK.worst(troubles, done + where)


def _results(record: BurnInRecord) -> Iterator[Check]:
    for name, done in record.formats.items():
        if not done.right:
            text = f"{record.label}: {name} is off by {done.error:.2g} from double precision on the processor"
            yield RESULTS.failed(text, _WEAK)
        if done.wrong:
            yield RESULTS.failed(f"{record.label}: {done.wrong} numbers in {name} not as at first", _WEAK)


def _products(record: BurnInRecord) -> str:
    speeds = (
        f"{name} {done.operations / done.seconds / 1e12:.3g}" for name, done in record.formats.items() if done.seconds
    )
    return f"the same to the last bit, at {', '.join(speeds)} TFLOP/s"


def _memory(record: BurnInRecord) -> Iterator[Check]:
    if record.words_wrong:
        text = f"{record.label}: {record.words_wrong} words of 8 bytes did not hold what was written"
        yield MEMORY.failed(text, "replace the card; a lower memory clock may carry it until then")


def _patterns(record: BurnInRecord) -> str:
    return f"{in_gib(record.memory)} held {record.patterns} patterns"


def _load(record: BurnInRecord) -> Iterator[Check]:
    percentages = [sample.utilisation for sample in record.under_load() if sample.utilisation is not None]
    if percentages and sum(percentages) / len(percentages) < BUSY:
        yield LOAD.warning(f"{record.label}: {_busy(record)}", "end what else runs on the machine and run it again")


def _busy(record: BurnInRecord) -> str:
    samples = record.under_load()
    return f"{_mean(samples, 'utilisation')} % busy, {_mean(samples, 'power')} W"


def _temperature(record: BurnInRecord) -> Iterator[Check]:
    limit = (record.before and record.before.slowdown) or USUAL_LIMIT
    hottest = max((sample.temperature or 0 for sample in record.samples), default=0)
    text = f"{record.label}: up to {hottest} °C, it slows down at {limit} °C"
    fix = "clean the filters, give the card air, or lower its power: sudo rigforge-doctor tune"
    if hottest >= limit:
        yield TEMPERATURE.failed(text, fix)
    elif hottest >= limit - MARGIN:
        yield TEMPERATURE.warning(text, fix)


def _hottest(record: BurnInRecord) -> str:
    temperatures = [sample.temperature for sample in record.samples if sample.temperature is not None]
    return f"up to {max(temperatures)} °C" if temperatures else "not told"


def _clocks(record: BurnInRecord) -> Iterator[Check]:
    samples = record.under_load()
    for bit, text in REASONS.items():
        if slow := sum(1 for sample in samples if (sample.reasons or 0) & bit):
            share = f"{100 * slow / len(samples):.0f} % of the time"
            yield CLOCKS.warning(
                f"{record.label}: {text} in {share}", "give the card air; for a power brake, look at supply and plugs"
            )


def _clock_range(record: BurnInRecord) -> str:
    samples = record.under_load()
    clocks = [sample.clock for sample in samples if sample.clock is not None]
    held = sum(1 for sample in samples if (sample.reasons or 0) & POWER_CAP) * 2 > len(samples)
    text = f"{min(clocks)} to {max(clocks)} MHz" if clocks else "not told"
    return f"{text}, held by the power limit as usual under full load" if held else text


def _link(record: BurnInRecord) -> Iterator[Check]:
    """Compares the best link under load with what card and slot can (nvml.h, nvmlDeviceGetMaxPcieLinkGeneration)."""
    gpu = record.before
    generation, width = _best(record, "link_generation"), _best(record, "link_width")
    slower = gpu and gpu.link_generation_max and 0 < generation < gpu.link_generation_max
    narrower = gpu and gpu.link_width_max and 0 < width < gpu.link_width_max
    if gpu and (slower or narrower):
        able = f"card and slot can {_shown_link(gpu.link_generation_max or 0, gpu.link_width_max or 0)}"
        fix = f"{RESEAT}; set the slot's generation in the firmware's setup to what the riser cable is made for"
        yield LINK.warning(f"{record.label}: {_best_link(record)} under load, {able}", fix)


def _best_link(record: BurnInRecord) -> str:
    return _shown_link(_best(record, "link_generation"), _best(record, "link_width"))


def _best(record: BurnInRecord, name: str) -> int:
    return max((getattr(sample, name) or 0 for sample in record.under_load()), default=0)


def _shown_link(generation: int, width: int) -> str:
    words = [*([f"PCIe {generation}"] if generation else []), *([f"×{width}"] if width else [])]
    return " ".join(words) or "not told"


def _errors(gpus: Sequence[BurnInRecord], before: Xids | None, after: Xids | None) -> Check:
    troubles = decoded(ERRORS, after - before) if before is not None and after is not None else []
    for record in gpus:
        if record.after and record.after.lost:
            text = f"{record.label}: {record.after.lost}"
            troubles.append(ERRORS.failed(text, "power off, seat the card and its power plugs again"))
        if new := _uncorrected(record.after) - _uncorrected(record.before):
            text = f"{record.label}: {new} new uncorrected memory errors"
            troubles.append(ERRORS.failed(text, "replace the card"))
    if not troubles and not gpus:
        return ERRORS.not_applicable("no GPU at work")
    unread = "; the kernel log is for root only: run it with sudo" if before is None or after is None else ""
    return ERRORS.worst(troubles, f"none{unread}")


def _uncorrected(gpu: NvmlGpu | None) -> int:
    return (gpu.uncorrected or 0) if gpu else 0


def _mean(samples: Sequence[Sample], name: str) -> str:
    values = [value for sample in samples if (value := getattr(sample, name)) is not None]
    return f"{sum(values) / len(values):.0f}" if values else "?"
