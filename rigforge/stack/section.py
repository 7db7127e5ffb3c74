"""What all tables of a stack have in common."""

from __future__ import annotations

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class Section(BaseModel):
    """A table of the stack: immutable, no unknown keys, no conversion between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


def _goes_with_provider(version: str, info: ValidationInfo) -> str:
    provider = info.data.get("provider")
    if provider == "none" and version:
        raise ValueError('provider "none" brings no version; name a provider, or set version = ""')
    if provider not in (None, "none") and not version:
        raise ValueError(f'provider "{provider}" needs a version')
    return version


#: For a version that follows a field `provider`: both are given, or neither.
goes_with_provider = AfterValidator(_goes_with_provider)
