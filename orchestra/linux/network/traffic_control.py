"""Packet filters on an interface that survive every change of the firewall: clsact and cls_bpf (tc(8), tc-bpf(8)).

A filter is a program in classic BPF (linux/filter.h), which the kernel runs for each packet that the host receives from
the interface (*ingress*) or sends to it (*egress*). A program returns ``PASS`` or ``DROP``.
"""

from __future__ import annotations

import socket
import struct
from enum import IntEnum

from orchestra.linux.network.netlink_message import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    Request,
    attribute,
    nested,
    text,
)
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

RTM_NEWQDISC, RTM_NEWTFILTER, RTM_GETTFILTER = 36, 44, 46
TC_H_CLSACT, CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_BPF_OPS_LEN, TCA_BPF_OPS, TCA_BPF_NAME, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT = 4, 5, 7, 8, 1
ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0003, 0x0800, 0x0806, 0x86DD
ETH_P_8021Q, ETH_P_8021AD = 0x8100, 0x88A8
HANDLE = 1

# TC_ACT_UNSPEC leaves the packet to later filters; TC_ACT_SHOT drops it.
PASS, DROP = 0xFFFFFFFF, 2

# Offsets that mean "from the network header" and "field of the packet's buffer" to the kernel.
NETWORK, ANCILLARY = 0xFFF00000, 0xFFFFF000
PROTOCOL, MARK = ANCILLARY + 0, ANCILLARY + 20


class Direction(IntEnum):
    """The values are the kernel's numbers for the two hooks of clsact."""

    INGRESS = 0xFFFFFFF2
    EGRESS = 0xFFFFFFF3


class Instruction(NamedTuple):
    """struct sock_filter."""

    code: int
    if_true: int
    if_false: int
    value: int


def load_word(offset: int) -> Instruction:
    return Instruction(0x20, 0, 0, offset)  # BPF_LD | BPF_W | BPF_ABS


def load_half(offset: int) -> Instruction:
    return Instruction(0x28, 0, 0, offset)


def load_byte(offset: int) -> Instruction:
    return Instruction(0x30, 0, 0, offset)


def load_byte_after_header(offset: int) -> Instruction:
    return Instruction(0x50, 0, 0, offset)  # BPF_LD | BPF_B | BPF_IND: at X + offset


def take_header_length(offset: int) -> Instruction:
    return Instruction(0xB1, 0, 0, offset)  # BPF_LDX | BPF_B | BPF_MSH: X = 4 * (byte & 0xf)


def mask(value: int) -> Instruction:
    return Instruction(0x54, 0, 0, value)


def jump_if_equal(value: int, if_true: int, if_false: int) -> Instruction:
    """Both jumps are numbers of instructions to skip."""
    return Instruction(0x15, if_true, if_false, value)


def jump_if_any_bit(value: int, if_true: int, if_false: int) -> Instruction:
    return Instruction(0x45, if_true, if_false, value)


def verdict(value: int) -> Instruction:
    return Instruction(0x06, 0, 0, value)


class Step(NamedTuple):
    """An instruction whose jumps lead to labels; '' leads to the next step."""

    instruction: Instruction
    if_true: str = ""
    if_false: str = ""
    label: str = ""


def assemble(steps: Sequence[Step]) -> tuple[Instruction, ...]:
    """The program of these steps; jumps lead forward only, over at most 255 steps."""
    places = {step.label: place for place, step in enumerate(steps) if step.label}
    return tuple(
        step.instruction._replace(
            if_true=places[step.if_true] - place - 1 if step.if_true else step.instruction.if_true,
            if_false=places[step.if_false] - place - 1 if step.if_false else step.instruction.if_false,
        )
        for place, step in enumerate(steps)
    )


def new_clsact(link: int, name: str) -> Request:
    """Give the interface with the number ``link`` its two hooks; existing ones are kept."""
    body = _header(link, CLSACT_HANDLE, TC_H_CLSACT) + text(TCA_KIND, "clsact")
    return Request("new qdisc clsact", name, RTM_NEWQDISC, NLM_F_CREATE, body)


def set_filter(link: int, name: str, direction: Direction, priority: int, program: Sequence[Instruction]) -> Request:
    """Make ``program`` the filter of this priority, replacing an earlier one. The hooks must exist."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    options = nested(
        TCA_OPTIONS,
        attribute(TCA_BPF_OPS_LEN, struct.pack("=H", len(program))),
        attribute(TCA_BPF_OPS, code),
        text(TCA_BPF_NAME, name),
        attribute(TCA_BPF_FLAGS, struct.pack("=I", TCA_BPF_FLAG_ACT_DIRECT)),
    )
    body = _header(link, HANDLE, direction, _info(priority)) + text(TCA_KIND, "bpf") + options
    return Request("new bpf filter", name, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, body)


def get_filter(link: int, name: str, direction: Direction, priority: int) -> Request:
    """Fails with ENOENT or EINVAL if there is no such filter."""
    body = _header(link, HANDLE, direction, _info(priority)) + text(TCA_KIND, "bpf")
    return Request("get bpf filter", name, RTM_GETTFILTER, 0, body)


def _info(priority: int) -> int:
    """Every protocol: for a packet with a VLAN tag the kernel would look for the tag's, and skip the filter."""
    return priority << 16 | socket.htons(ETH_P_ALL)


def _header(link: int, handle: int, parent: int, info: int = 0) -> bytes:
    """struct tcmsg."""
    return struct.pack("=BxxxiIII", socket.AF_UNSPEC, link, handle, parent, info)
