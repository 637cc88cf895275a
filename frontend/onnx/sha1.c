/* sha1.c: names and formulas as in FIPS 180-4. */
#include "frontend/onnx/sha1.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64, ROUNDS = 80 };

static uint32_t rotate_left(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* Ch, Parity, Maj, Parity (4.1.1), each with its K (4.2.1) and twenty rounds. */
static uint32_t mixed(int t, uint32_t b, uint32_t c, uint32_t d)
{
    switch (t / 20) {
    case 0:
        return ((b & c) ^ (~b & d)) + 0x5a827999u;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1u;
    case 2:
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdcu;
    default:
        return (b ^ c ^ d) + 0xca62c1d6u;
    }
}

static void add_block(uint32_t hash[5], const uint8_t *block)
{
    uint32_t w[ROUNDS];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
               block[4 * t + 3];
    for (int t = 16; t < ROUNDS; t++)
        w[t] = rotate_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (int t = 0; t < ROUNDS; t++) {
        uint32_t next = rotate_left(a, 5) + mixed(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void sha1_hex(const void *bytes, size_t size, char hex[SHA1_HEX_BYTES])
{
    uint32_t hash[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    const uint8_t *block = bytes;
    size_t left = size;
    for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, block += BLOCK_BYTES)
        add_block(hash, block);
    uint8_t tail[2 * BLOCK_BYTES] = {0}; /* the rest, a one bit, zeros, the length in bits (5.1.1) */
    if (left > 0)
        memcpy(tail, block, left);
    tail[left] = 0x80;
    size_t tail_bytes = left + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    for (int i = 0; i < 8; i++)
        tail[tail_bytes - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
    for (size_t at = 0; at < tail_bytes; at += BLOCK_BYTES)
        add_block(hash, tail + at);
    for (int i = 0; i < 5; i++)
        snprintf(hex + 8 * i, 9, "%08x", hash[i]);
}
