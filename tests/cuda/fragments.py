#!/usr/bin/env python3
"""Writes fragments.inc, the tables that test_mma.cu compares with: where each lane's numbers lie in the operands of
mma.m16n8k16 and ldmatrix.x4, by tensor-layouts (PyPI, 0.3.2), which has them from CUTLASS.

    python3 -m venv DIR && DIR/bin/pip install tensor-layouts && DIR/bin/python tests/cuda/fragments.py

Lane l's number v is entry l * (numbers of a lane) + v."""
import os

from tensor_layouts import atoms_nv


def entries(layout, values, place):
    return [place(layout(lane, value)) for lane in range(32) for value in range(values)]


def table(name, comment, numbers):
    lines = ["", f"/* {comment} */", f"static const int {name}[] = {{"]
    for i in range(0, len(numbers), 16):
        lines.append("    " + " ".join(f"{n}," for n in numbers[i:i + 16]))
    return lines + ["};"]


def main():
    mma = atoms_nv.SM80_16x8x16_F32BF16BF16F32_TN
    assert (mma.a_layout, mma.b_layout) == (atoms_nv.SM80_16x8x16_F32F16F16F32_TN.a_layout,
                                            atoms_nv.SM80_16x8x16_F32F16F16F32_TN.b_layout)
    text = ["/* fragments.inc: written by fragments.py from tensor-layouts, a second source of the PTX ISA's tables. */"]
    # The atoms' offsets are row-first: m + 16 k, n + 8 k, m + 16 n. Copies count bits of four 8 x 8 matrices.
    text += table("table_a", "row * 16 + k of A[16, 16]", entries(mma.a_layout, 8, lambda x: x % 16 * 16 + x // 16))
    text += table("table_b", "k * 8 + column of B[16, 8]", entries(mma.b_layout, 4, lambda x: x // 8 * 8 + x % 8))
    text += table("table_c", "row * 8 + column of C[16, 8]", entries(mma.c_layout, 4, lambda x: x % 16 * 8 + x // 16))
    for name, atom in (("table_matrices", atoms_nv.SM75_U32x4_LDSM_N), ("table_transposed", atoms_nv.SM75_U16x8_LDSM_T)):
        numbers = entries(atom.dst_layout_bits, 128, lambda x: x)[::16]
        text += table(name, "matrix * 64 + row * 8 + column", [x // 16 for x in numbers])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fragments.inc"), "w") as file:
        file.write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
