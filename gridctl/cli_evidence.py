"""`gridctl evidence …` and `gridctl replay`: what was decided, on what, and whether it still is so.

`evidence verify` and `replay PACK` need neither database nor configuration: they work on another
machine, with nothing but the pack and the office's public key.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gridctl.cli_ending import EXIT_REFUSED, run_guarded
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance
from gridctl.model.errors import Refusal, RefusedError, UnavailableError

Key = Annotated[
    Path | None,
    typer.Option("--key", help="The office's public key (PEM), from somewhere else than the pack."),
]


class _PackUnlessNamed(TyperGroup):
    """`gridctl evidence P-1234 -o pack.zip` is short for `gridctl evidence pack P-1234 …`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["pack", *args]
        return super().resolve_command(ctx, args)


evidence_app = typer.Typer(
    help="Evidence packs: everything about a plan or an event, signed.",
    no_args_is_help=True,
    cls=_PackUnlessNamed,
)


@evidence_app.command("pack")
def pack(
    about: Annotated[str, typer.Argument(metavar="EVENT_OR_PLAN")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The zip to write.")],
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """Write the signed pack of a plan, or of an event with all its plans."""
    run_guarded(lambda: _pack(about, output, instance, as_json=as_json))


@evidence_app.command("verify")
def verify(pack: Path, key: Key = None, as_json: AsJson = False) -> None:
    """Check a pack, on any machine: signature, every octet, and whether its parts fit together."""
    run_guarded(lambda: _verify(pack, key, as_json=as_json))


def replay_plan(
    plan: Annotated[str, typer.Argument(metavar="PLAN_OR_PACK")],
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """Make a decision again from its record (or from a pack) and compare it bit for bit."""
    run_guarded(lambda: _replay(plan, instance, as_json=as_json))


async def _pack(about: str, output: Path, instance: Path, *, as_json: bool) -> int:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.config import load_settings  # noqa: PLC0415
    from gridctl.control.evidence import packed  # noqa: PLC0415
    from gridctl.evidencepack import read_pack  # noqa: PLC0415
    from gridctl.pki import load_private_ed25519  # noqa: PLC0415

    settings = load_settings(instance / "gridctl.toml")
    key = load_private_ed25519(settings.link.office_key)
    async with opened(instance, read_only=True) as store:
        data = await packed(
            about,
            store=store,
            head_point=settings.site.head_point,
            key=key,
            made_at_s=store.clock.now_s(),
            made_by=getpass.getuser(),
        )
    _write(output, data)
    found = read_pack(data)
    if as_json:
        _out({"pack": str(output), "bytes": len(data), **_described(found)})
        return 0
    print(f"{output}: {len(found.files)} files, {len(data):,} octets, about {found.about}.")
    _say_absent(found.absent)
    print(f"Signed by the office's key {found.fingerprint[:16]}…")
    return 0


async def _verify(path: Path, key: Path | None, *, as_json: bool) -> int:
    from gridctl.control.evidence import inconsistent  # noqa: PLC0415 - lazy on purpose
    from gridctl.evidencepack import PackError, read_pack  # noqa: PLC0415
    from gridctl.pki import load_public_ed25519  # noqa: PLC0415

    public = None if key is None else load_public_ed25519(key)
    data = _read(path)
    try:
        found = read_pack(data, key=public)
        faults = inconsistent(found.files, found.plans)
    except PackError as error:
        if as_json:
            _out({"ok": False, "faults": [str(error)]})
        else:
            print(f"THE PACK IS NOT GENUINE: {error}.")
        return EXIT_REFUSED
    if as_json:
        known = public is not None
        _out({"ok": not faults, "faults": faults, "key_known": known, **_described(found)})
        return EXIT_REFUSED if faults else 0
    for fault in faults:
        print(f"CONTRADICTION: {fault}.")
    if faults:
        return EXIT_REFUSED
    print(f"Whole and unchanged: {len(found.files)} files about {found.about}.")
    _say_absent(found.absent)
    if public is None:
        print(f"Signed by key {found.fingerprint}.")
        print("Compare it with the utility's, or name the utility's public key: --key FILE.")
    else:
        print("Signed by the key that you named.")
    return 0


async def _replay(about: str, instance: Path, *, as_json: bool) -> int:
    from gridctl.replay import replay  # noqa: PLC0415 - lazy on purpose
    from optimizer.client import WorkerClient  # noqa: PLC0415

    plan, forecast_task, problem = await _record_of(about, instance)
    mind = WorkerClient()
    try:
        found = await replay(plan=plan, forecast_task=forecast_task, problem=problem, mind=mind)
    finally:
        await mind.close()
    if as_json:
        _out({"same": found.same, **asdict(found)})
        return 0 if found.same else EXIT_REFUSED
    for name, what in (
        ("Forecast", found.forecast),
        ("Optimizer", found.solution),
        ("Checker", found.verification),
    ):
        print(f"{name:<10} {'the same, bit for bit' if not what else 'DIFFERENT'}")
        for difference in what:
            print(f"  {difference}")
    return 0 if found.same else EXIT_REFUSED


async def _record_of(about: str, instance: Path) -> tuple[bytes, bytes, bytes]:
    """Plan, forecast task and problem, from a pack or from the instance's record."""
    if about.endswith(".zip"):
        return _of_pack(Path(about))
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.model.inputs import FORECAST_TASK, task_json  # noqa: PLC0415

    async with opened(instance, read_only=True) as store:
        body = await store.dossiers.body(about)
        parts = await store.dossiers.inputs(about)
    if body is None:
        raise _refused(f"there is no plan {about}")
    if not parts:
        raise _refused(f"the inputs of plan {about} were not kept: an older gridctl proposed it")
    return body, parts[FORECAST_TASK], task_json(parts)


def _of_pack(path: Path) -> tuple[bytes, bytes, bytes]:
    from gridctl.evidencepack import PackError, read_pack  # noqa: PLC0415 - lazy on purpose

    try:
        found = read_pack(_read(path))
    except PackError as error:
        raise _refused(f"{path}: {error}") from None
    if len(found.plans) != 1:
        raise _refused(f"{path} holds {len(found.plans)} plans: pack the one that you mean")
    folder = f"plans/{found.plans[0]}"
    names = [f"{folder}/{name}.json" for name in ("plan", "forecast_task", "problem")]
    for name in names:
        if name not in found.files:
            raise _refused(f"{path} has no {name}: {found.absent.get(name, 'not said why')}")
    plan, forecast_task, problem = (found.files[name] for name in names)
    return plan, forecast_task, problem


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from None


def _described(found: Any) -> dict[str, object]:
    return {
        "about": found.about,
        "plans": found.plans,
        "made_at_s": found.made_at_s,
        "made_by": found.made_by,
        "gridctl": found.version,
        "key": found.fingerprint,
        "files": sorted(found.files),
        "absent": dict(found.absent),
    }


def _say_absent(absent: Any) -> None:
    for name, why in sorted(absent.items()):
        print(f"  without {name}: {why}")


def _out(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _refused(reason: str) -> RefusedError:
    return RefusedError(Refusal(code="no_replay", reasons=(reason,)))
