"""sass.py: what the machine code of CUDA kernels says about them, without the toolkit's disassembler.

An instruction of sm_70 and later has 16 bytes; the low 9 bits tell what it does, the 3 behind them where its operands
are. Branches hold the distance from the next instruction in bytes: up to sm_89 from bit 32; later in units of 4, its low
8 bits at bit 16 and the others from bit 34. So found by compiling small kernels; `check-cuda --self-test` does it again.
"""
import struct

DOUBLE = {0x028: "DMUL", 0x029: "DADD", 0x02A: "DSETP", 0x02B: "DFMA", 0x03F: "DMMA"}
TENSOR = {0x03C: "HMMA", 0x037: "IMMA", 0x03F: "DMMA", 0x1F0: "HGMMA"}
LOCAL = {0x183: "LDL", 0x187: "STL"}
NOP = 0x118
BRANCH = 0x947
SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, alignment, entry size
RESERVED = 1024  # bytes of a kernel's shared memory that belong to the system, from sm_90 on
MAX_THREADS = (0x04, 0x05)  # format and name of a kernel's attribute: what __launch_bounds__ says


class Kernel:
    """One kernel of a cubin. `double_in_loops` counts f64 instructions between a backward branch and its target."""

    def __init__(self, name, code, arch):
        words = list(struct.iter_unpack("<QQ", code))
        opcodes = [low & 0x1FF for low, _ in words]
        loops = [span for at, word in enumerate(words) if (span := loop_of(at, word, arch))]
        doubles = [at for at, opcode in enumerate(opcodes) if opcode in DOUBLE]
        self.name = name
        self.instructions = sum(opcode != NOP for opcode in opcodes)
        self.tensor = sum(opcode in TENSOR for opcode in opcodes)
        self.local = sum(opcode in LOCAL for opcode in opcodes)
        self.double = len(doubles)
        self.double_in_loops = sum(any(first <= at <= last for first, last in loops) for at in doubles)
        self.shared = 0  # static, bytes
        self.threads = 0  # at most so many a block; 0: not said


def loop_of(at, word, arch):
    """(first, last) instruction of the loop that instruction `at` closes, or None."""
    low, high = word
    if low & 0xFFF != BRANCH:
        return None
    if arch < 90:
        distance = signed((low >> 32) | (high & 0x3FFFF) << 32, 50)
    else:
        distance = 4 * (signed((low >> 34) | (high & 0x3FFFF) << 30, 48) << 8 | low >> 16 & 0xFF)
    target = at + 1 + distance // 16
    return (target, at) if target < at else None


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def sections(cubin):
    """(name, contents) of each section; contents of those without bytes in the file is their size."""
    table, = struct.unpack_from("<Q", cubin, 40)
    entry, count, names = struct.unpack_from("<HHH", cubin, 58)
    headers = [SECTION.unpack_from(cubin, table + i * entry) for i in range(count)]
    for header in headers:
        start = headers[names][4] + header[0]
        name = cubin[start : cubin.index(b"\0", start)].decode()
        yield name, header[5] if header[1] == 8 else cubin[header[4] : header[4] + header[5]]


def most_threads(attributes):
    """Of a section .nv.info.KERNEL: the product of __launch_bounds__' dimensions, or 0."""
    at = 0
    while at + 4 <= len(attributes):
        form, name, size = struct.unpack_from("<BBH", attributes, at)
        if (form, name) == MAX_THREADS:
            x, y, z = struct.unpack_from("<III", attributes, at + 4)
            return x * y * z
        at += 4 + (size if form == 4 else 0)
    return 0


def read_kernels(path, arch):
    """The kernels of a cubin by their mangled names."""
    with open(path, "rb") as file:
        found = dict(sections(file.read()))
    kernels = {name[6:]: Kernel(name[6:], code, arch) for name, code in found.items() if name.startswith(".text.")}
    for name, kernel in kernels.items():
        kernel.threads = most_threads(found.get(".nv.info." + name, b""))
        shared = found.get(".nv.shared." + name, 0)
        kernel.shared = max((shared if isinstance(shared, int) else len(shared)) - (RESERVED if arch >= 90 else 0), 0)
    return kernels
