/* channels.cuh: mapping of BatchNormalization's tensors [outer, channels, inner] to blocks, by the chunks of
 * norm_cuda.h.
 *
 * blockIdx.y is the chunk. inner == 1: blockIdx.x is a block of columns (rows.cuh). inner > 1: blockIdx.x is the
 * channel, and a block is (threads of a piece, pieces processed together). */
#ifndef PCC_CHANNELS_CUH
#define PCC_CHANNELS_CUH

#include "../common/rows.cuh"
#include "norm_cuda.h"

struct PccChannels {
    int64_t outer, channels, inner, per_sample; /* per_sample: rows of outer */
    PccChannelChunks cut;
};

static inline PccChannels pcc_channels(int64_t batch, int64_t outer, int64_t channels, int64_t inner)
{
    return {outer, channels, inner, outer / (batch < 1 ? 1 : batch), pcc_cuda_channel_chunks(outer, channels, inner)};
}

static inline dim3 pcc_channel_block(const PccChannels &n, int lanes)
{
    const int64_t piece = pcc_min_i64(n.inner, PCC_CHANNEL_PIECE);
    return n.inner == 1 ? pcc_column_block(n.channels, lanes) : pcc_row_block(pcc_ceil_div(piece, lanes), 2, PCC_BLOCK);
}

static inline dim3 pcc_channel_grid(const PccChannels &n, dim3 block, int lanes)
{
    return dim3(n.inner == 1 ? pcc_blocks(n.channels, (int64_t)block.x * lanes) : (unsigned)n.channels,
                (unsigned)n.cut.chunks);
}

/* Pieces of chunk `chunk` that begin with row `rows` of outer at the latest. */
struct PccPieces {
    int64_t begin, end;
};

PCC_DEVICE PccPieces pcc_pieces(const PccChannels &n, int64_t chunk, int64_t rows)
{
    const int64_t begin = chunk * n.cut.pieces;
    return {begin, pcc_min_i64(begin + n.cut.pieces, rows * n.cut.per_row)};
}

/* Elements of the channel in the pieces. */
PCC_DEVICE int64_t pcc_elements(const PccChannels &n, PccPieces p)
{
    return p.begin >= p.end ? 0
                            : pcc_cuda_channel_elements(n.cut.per_row, n.inner, p.end) -
                                  pcc_cuda_channel_elements(n.cut.per_row, n.inner, p.begin);
}

/* Rows of outer that count. */
PCC_DEVICE int64_t pcc_valid_rows(const PccChannels &n, const PccStep *step)
{
    return step->valid * n.per_sample;
}

/* A piece of channel `channel`, inner > 1: elements start … start + width - 1, of row `row` of outer. */
struct PccPiece {
    int64_t row, start, width;
};

PCC_DEVICE PccPiece pcc_piece(const PccChannels &n, int64_t channel, int64_t piece)
{
    const int64_t row = n.cut.per_row == 1 ? piece : piece / n.cut.per_row;
    const int64_t first = (piece - row * n.cut.per_row) * PCC_CHANNEL_PIECE;
    return {row, (row * n.channels + channel) * n.inner + first, pcc_min_i64(n.inner - first, PCC_CHANNEL_PIECE)};
}

/* f(PccLanes<N>(), piece, i) for the elements piece.start + i … + N - 1 of all pieces, like pcc_walk_row(). */
template <int V, class F>
PCC_DEVICE void pcc_walk_pieces(const PccChannels &n, int64_t channel, PccPieces pieces, bool aligned, F f)
{
    for (int64_t p = pieces.begin + threadIdx.y; p < pieces.end; p += blockDim.y) {
        const PccPiece piece = pcc_piece(n, channel, p);
        pcc_walk_row<V>(piece.start, piece.width, aligned, [&](auto lanes, int64_t i) { f(lanes, piece, i); });
    }
}

/* The columns of a block's threads, inner == 1. */
struct PccBlockColumns {
    int64_t base, first, count; /* base: the block's first, first: the thread's; count: of channels from there on */
};

template <int V> PCC_DEVICE PccBlockColumns pcc_block_columns(const PccChannels &n)
{
    const int64_t base = (int64_t)blockIdx.x * blockDim.x * V, first = base + (int64_t)threadIdx.x * V;
    return {base, first, n.channels - first};
}

#endif
