"""Whether what was resolved goes together: the versions as they are in the packages, by the rules of the tables."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.version import Version

from rigforge import console, distributions
from rigforge.compat.conflict import conflict
from rigforge.compat.reasons import reasons
from rigforge.compat.render import left_out
from rigforge.compat.request import build_request
from rigforge.compat.rules import Combination, Driver, Wheel, pytorch_with_gpu, violations
from rigforge.compat.solution import Request, Solution, find_solution
from rigforge.compat.tables import Build, tables
from rigforge.errors import RigforgeError
from rigforge.lock.model import Decision
from rigforge.rules.versions import series
from rigforge.stack.model import Stack


def settle(stack: Stack) -> Stack:
    """Returns the stack with a version in the place of each "auto".

    Raises RigforgeError where no versions go with the stack's cards and its other wishes.
    """
    if "auto" not in (stack.pytorch.version, stack.cuda.version):
        return stack
    solution = find_solution(build_request((), {}, stack))
    if not solution.combination:
        raise RigforgeError(
            "\n".join([f"stack {stack.name}: there is nothing to choose:", *conflict(solution)]),
            f"change one of these wishes; {_instead(solution.request)}",
        )
    wheel = solution.combination.wheel
    versions = {"pytorch": str(wheel.version), "cuda": ".".join(map(str, wheel.build.cuda.release[:2]))}
    return stack.model_copy(
        update={
            component: section.model_copy(update={"version": version})
            for component, version in versions.items()
            if (section := getattr(stack, component)).version == "auto"
        }
    )


def decide(stack: Stack, versions: Mapping[str, str], forced: str = "") -> Decision | None:
    """Returns the decision on resolved `versions` (a lock's), None for a stack without PyTorch and CUDA.

    What the packages say of themselves counts more than the tables; where they disagree, the user is told.

    Raises RigforgeError where they do not go together, unless `forced` has the reason to lock them all the same.
    """
    if "pytorch" not in versions or "cuda" not in versions:
        return None
    if stack.pytorch.provider == "conda":
        return Decision("unknown", ("the tables have PyTorch's wheels, not conda-forge's builds, which conda chose",))
    compat_tables = tables()
    pytorch = Version(versions["pytorch"])
    build = _build(pytorch)
    branch = compat_tables.branch_of(versions.get("driver", ""))
    if not build or ("driver" in versions and not branch):
        component = f"driver {versions['driver']}" if build else f"PyTorch {pytorch}"
        reason = f"{component} is not in the tables of {compat_tables.as_of}, so whether it works cannot be told"
        console.warn(f"stack {stack.name}: {reason}")
        return Decision("unknown", (reason,))
    solution = of_lock(stack, versions)
    request = solution.request if solution else build_request((), {}, stack)
    if solution and solution.combination:
        faults = violations(compat_tables, solution.combination, request.gpus)
        if not faults:
            return Decision(solution.verdict, tuple(map(str, reasons(solution))))
    else:
        wheel = Wheel(_as_locked(build, versions), pytorch)
        faults = tuple(filter(None, (pytorch_with_gpu(compat_tables, wheel, gpu) for gpu in request.gpus)))
        if not faults:
            return Decision("no driver", (f"a driver for CUDA {wheel.build.cuda} is the affair of the machine",))
    if forced:
        console.warn(f"stack {stack.name} is locked although it cannot work: {faults[0]}")
        return Decision("impossible", faults, forced)
    raise RigforgeError(
        "\n".join([f"stack {stack.name} cannot work:", *faults]),
        f"{_instead(request)}; `invoke explain --stack {stack.name}` says more, "
        f'`--force "REASON"` locks it all the same',
    )


def of_lock(stack: Stack, versions: Mapping[str, str]) -> Solution | None:
    """Returns the set that a lock's versions are, whether it works or not; None where the tables have not all of it."""
    branch = tables().branch_of(versions.get("driver", ""))
    wheels = "pytorch" in versions and stack.pytorch.provider == "pypi"
    build = _build(Version(versions["pytorch"])) if wheels else None
    if not branch or not build:
        return None
    driver = Driver(branch, versions["driver"], distributions.of(stack).driver.module)
    wheel = Wheel(_as_locked(build, versions), Version(versions["pytorch"]))
    python = series(versions["python"])
    return Solution(build_request((), {}, stack), Combination(driver, wheel, python))


def _build(pytorch: Version) -> Build | None:
    return next((build for build in tables().builds if build.index == "pypi" and pytorch in build.versions), None)


def _instead(request: Request) -> str:
    """Returns, in words, the nearest request that works."""
    solution = find_solution(request)
    if solution.combination:
        return "the archives have other versions than the tables know of"
    for alternative in solution.alternatives:
        if choice := alternative.combination:
            omissions = " and ".join(left_out(request, alternative.request))
            return f"without {omissions} it would be driver {choice.driver.version} and PyTorch {choice.wheel.shown}"
    return "no set of the tables works for these cards"


def _as_locked(build: Build, versions: Mapping[str, str]) -> Build:
    """Returns the build with CUDA and cuDNN as the locked wheels have them."""
    release = tables().release_of(build.cuda)
    table = {"cuda": release.runtime if release else build.cuda, "cudnn": build.cudnn}
    wheel_versions = {name: Version(versions[name]) for name in table if name in versions}
    for name, version in wheel_versions.items():
        if version != table[name]:
            console.warn(
                f"the wheels of PyTorch {versions['pytorch']} bring {name} {version}, and the table has {table[name]}: "
                "what the wheels say is taken"
            )
    return build.model_copy(
        update={name: version for name, version in wheel_versions.items() if version != table[name]}
    )
