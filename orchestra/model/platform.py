"""Operating system and processor of an image, in Go's names (OCI image-spec, "Image Index", platform). Pure."""

from __future__ import annotations

from orchestra.errors import FatalError
from orchestra.record import Record

# uname(2) machine: architecture and variant. We promise no variant of x86-64: it would need features of the processor.
MACHINES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv8l": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
    "loongarch64": ("loong64", ""),
    "mips64": ("mips64le", ""),
}
# What users write: what images contain.
ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386", "i686": "386"}
DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


class Platform(Record):
    system: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.system, self.architecture, self.variant) if part)

    def is_same(self, other: Platform) -> bool:
        """Whether both mean the same, with or without defaults."""
        return self._whole() == other._whole()

    def _whole(self) -> tuple[str, str, str]:
        return self.system, self.architecture, self.variant or DEFAULT_VARIANTS.get(self.architecture, "")

    def runs(self, other: Platform) -> bool:
        """Whether a machine of this platform runs programs for the other one by itself."""
        if other.suits(self):
            return True
        if self.system != other.system:
            return False
        if (self.architecture, other.architecture) == ("amd64", "386"):
            return True
        # Many processors of arm64 run programs for arm, all versions of it.
        return (self.architecture, other.architecture) == ("arm64", "arm")

    def suits(self, wanted: Platform) -> int:
        """How well an image for this platform runs on ``wanted``: 0 not at all, more is better."""
        if (self.system, self.architecture) != (wanted.system, wanted.architecture):
            return 0
        if self.is_same(wanted):
            return 100
        mine, theirs = self._whole()[2], wanted._whole()[2]
        if self.architecture == "arm" and mine < theirs:  # v7 runs programs for v6 and v5
            return 50 + int(mine[1:]) if mine[1:].isdigit() else 0
        # A base version runs everywhere; a higher one only if it is asked for.
        return 1 if not mine or mine == "v1" else 0


def parse_platform(value: str, machine: str) -> Platform:
    """``linux/arm64/v8``, or for empty text the platform of ``machine`` as uname(2) names it."""
    if not value:
        architecture, variant = MACHINES.get(machine, (machine, ""))
        return Platform("linux", architecture, variant)
    parts = value.lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise FatalError(f"platform {value!r} is not OS/ARCHITECTURE[/VARIANT]", hint="write it as in linux/amd64")
    if len(parts) == 1:
        parts.insert(0, "linux")
    system, architecture = parts[0], ALIASES.get(parts[1], parts[1])
    return Platform(system, architecture, parts[2] if len(parts) == 3 else "")
