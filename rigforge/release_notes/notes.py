"""The difference of two locks as release notes in Markdown: what people notice first, every package after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime

from rigforge.compat.cuda import OLDEST_DRIVER, major
from rigforge.records.file import NOT_SHIPPED
from rigforge.release_notes.diff import KINDS, Difference, LayerChange, Move, PackageChange
from rigforge.release_notes.rebuilt import Rebuilt
from rigforge.rules.sizes import in_words

#: What people call the lock's versions, in the order in which they ask for them.
TITLES = {
    "driver": "NVIDIA driver",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
    "pytorch": "PyTorch",
    "python": "Python",
    "jupyterlab": "JupyterLab",
    "kernel": "Linux kernel",
    "kernel_package_version": "kernel package",
}


def notes(difference: Difference, rebuilt: Sequence[Rebuilt] | None) -> str:
    """Returns the notes; with None for `rebuilt` they do not say which layers are built anew."""
    stack = difference.stack
    title = f"From {stack.old} to {stack.new}" if stack.changed else stack.new
    blocks = [f"# {title}: what changed"]
    if difference.equal:
        return _text([*blocks, "Nothing: the locks are equal."])
    if stack.changed:
        blocks.append(f"These are locks of two stacks, `{stack.old}` and `{stack.new}`.")
    blocks += [_summary(difference), _versions(difference.versions), *_pairs(difference)]
    blocks += ["## Sizes", _sizes(difference)]
    if rebuilt is not None:
        blocks += ["## Layers to rebuild", *_rebuilt(rebuilt, difference)]
    for layer in difference.layers:
        if layer.packages:
            blocks += [
                f"## Layer {layer.layer}{' (not shipped)' if layer.layer in NOT_SHIPPED else ''}",
                _packages(layer),
            ]
    blocks += ["## Archives", _table(("archive", "old", "new"), map(_archive, difference.archives))]
    if difference.mixed_roles:
        roles = " and ".join(f"`{role}`" for role in difference.mixed_roles)
        blocks.append(f"Security updates from {roles} are not marked: other updates come from there too.")
    return _text(blocks)


def _summary(difference: Difference) -> str:
    packages = {(change.format, change.package, _counted(change)) for change in _changes(difference)}
    counts = Counter(kind for _, _, kind in packages)
    security = len({change.package for change in _changes(difference) if change.security})
    words = [f"{counts[kind]} {kind}" for kind in (*KINDS, "moved") if counts[kind]]
    if security:
        words[0] += f" ({security} of them from a security archive)"
    return (
        f"Packages: {', '.join(words) or 'none changed'}. New files to download: {in_words(difference.fetched_bytes)}."
    )


def _counted(change: PackageChange) -> str:
    return "moved" if change.other_layers else change.kind


def _changes(difference: Difference) -> list[PackageChange]:
    return [change for layer in difference.layers for change in layer.packages]


def _versions(versions: Iterable[Move]) -> str:
    order = [*TITLES]
    ordered = sorted(versions, key=lambda move: order.index(move.name) if move.name in TITLES else len(order))
    lines = [
        f"- **{TITLES.get(move.name, move.name)}**: {_version(move.old)} → {_version(move.new)}"
        for move in ordered
        if move.changed
    ]
    same = [f"{TITLES.get(move.name, move.name)} {_version(move.new)}" for move in ordered if not move.changed]
    return "\n".join([*lines, *([f"- unchanged: {', '.join(same)}"] if same else [])])


def _pairs(difference: Difference) -> list[str]:
    old = {move.name: move.old for move in difference.versions}
    new = {move.name: move.new for move in difference.versions}
    said = []
    for pair in difference.pairs:
        if "driver" in pair:
            said.append(
                f"**Kernel and driver are held together**: the module is compiled for {_version(new['kernel'])} with "
                f"driver {_version(new['driver'])}. Upgrades of an installed machine leave both as they are."
            )
        else:
            said.append(
                "**PyTorch, CUDA and cuDNN go together**: PyTorch's wheels ask for exactly "
                f"CUDA {_version(new['cuda'])} and cuDNN {_version(new['cudnn'])}."
            )
    before, after = _oldest_driver(old.get("cuda", "")), _oldest_driver(new.get("cuda", ""))
    if after and before != after:
        said.append(
            f"**CUDA {_version(new['cuda'])} needs driver {_version(after)} or later**, on hosts of containers too."
        )
    return said


def _oldest_driver(cuda: str) -> str:
    return OLDEST_DRIVER.get(major(cuda), "") if cuda else ""


def _sizes(difference: Difference) -> str:
    rows = [(layer.layer, layer.old_bytes, layer.new_bytes) for layer in difference.layers]
    rows.append(("all, each file once", difference.old_bytes, difference.new_bytes))
    return _table(
        ("layer", "old", "new", "difference"),
        ((name, in_words(old), in_words(new), _growth(new - old)) for name, old, new in rows),
    )


def _rebuilt(rebuilt: Sequence[Rebuilt], difference: Difference) -> list[str]:
    said = [_table(("layer", "because of"), ((each.layer, _why(each)) for each in rebuilt)) if rebuilt else "None."]
    if any("source_date_epoch" in each.options for each in rebuilt):
        said.append("`source_date_epoch` is the date of the suite's point release: no file in a layer is younger.")
    if difference.stack_sha256.changed and not difference.stack.changed:
        said.append(
            "The stack, or what Rigforge adds to it, changed too. Both locks are reckoned here with the stack and the "
            "recipes as they are now; what changed in them can rebuild more."
        )
    return said


def _why(rebuilt: Rebuilt) -> str:
    options = [f"`{option}`" for option in rebuilt.options]
    layers = [f"layer {layer}" for layer in rebuilt.layers]
    return "it is new" if rebuilt.is_new else ", ".join([*(["its files"] if rebuilt.files else []), *options, *layers])


def _packages(layer: LayerChange) -> str:
    return _table(
        ("package", "old", "new", ""),
        ((change.package, _version(change.old), _version(change.new), _remark(change)) for change in layer.packages),
    )


def _remark(change: PackageChange) -> str:
    if change.security:
        return "**security update**"
    others = " and ".join(change.other_layers)
    if change.kind == "added":
        return f"moved from {others}" if others else "added"
    if change.kind == "removed":
        return f"moved to {others}" if others else "removed"
    return {"updated": "", "downgraded": "**downgraded**", "replaced": "another file of the same version"}[change.kind]


def _archive(move: Move) -> tuple[str, str, str]:
    return move.name, _day(move.old), _day(move.new) if move.changed else "the same"


def _day(date: str) -> str:
    return f"{parsedate_to_datetime(date):%Y-%m-%d %H:%M} UTC" if date else "none"


def _version(version: str) -> str:
    """As code, because Markdown strikes out what stands between two tildes."""
    return f"`{version}`" if version else "none"


def _growth(count: int) -> str:
    return "0" if not count else f"{'+' if count > 0 else '−'}{in_words(abs(count))}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(blocks: Iterable[str]) -> str:
    return "\n\n".join(filter(None, blocks)) + "\n"
