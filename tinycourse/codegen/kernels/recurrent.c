/* SPDX-License-Identifier: Apache-2.0
 * Recurrent networks: gates, layer normalisation, cells and their outputs. A gate, or a cell, is an int16 that stands for
 * itself / 2^bits. "Q15" says that 15 bits are after the point. */
#include "products.h"

void tc_embedding(const tc_embedding_params *p, const int16_t *input, int8_t *output)
{
    const int32_t last = p->rows - 1, row = *input < 0 ? 0 : *input > last ? last : *input;
    tc_copy(p->table + row * p->width, p->width, output);
}

/* Outputs o to o + count of one product, rescaled; count is 4, or 1 at the end. */
TC_INLINE void rows_of(const tc_product *p, int32_t o, int32_t count, const int8_t *input, int32_t y[4])
{
    const int8_t *w = p->weight + o * p->inputs;
    if (count == 4)
        tc_add_four_rows(w, input, p->inputs, p->bias + o, y);
    else
        y[0] = tc_add_row(w, input, p->inputs, p->bias[o]);
    for (int32_t k = 0; k < count; k++)
        y[k] = tc_requantize(y[k], p->multiplier[o + k], p->shift[o + k]);
}

/* Eight outputs from o on, or as many as are left, rescaled: of a dense matrix or a sparse one. */
static void panel_of(const tc_product *p, int32_t o, int32_t count, const int8_t *input, int32_t y[8])
{
    if (p->start) {
        tc_sparse_rows(p, o, count, input, y);
        return;
    }
    for (; count >= 4; count -= 4, o += 4, y += 4)
        rows_of(p, o, 4, input, y);
    for (; count > 0; count--, o++, y++)
        rows_of(p, o, 1, input, y);
}

void tc_linear16(const tc_linear16_params *p, const int8_t *x, int16_t *output)
{
    for (int32_t o = 0, count, y[8]; o < p->outputs; o += count) {
        count = p->outputs - o < 8 ? p->outputs - o : 8;
        panel_of(&p->input, o, count, x, y);
        for (int32_t k = 0; k < count; k++)
            output[o + k] = tc_clamp16(y[k]);
    }
}

void tc_linear16_pair(const tc_linear16_pair_params *p, const int8_t *x, const int8_t *h, int16_t *output)
{
    for (int32_t o = 0, count, a[8], b[8]; o < p->outputs; o += count) {
        count = p->outputs - o < 8 ? p->outputs - o : 8;
        panel_of(&p->input, o, count, x, a);
        panel_of(&p->recurrent, o, count, h, b);
        for (int32_t k = 0; k < count; k++)
            output[o + k] = tc_clamp16((int64_t)a[k] + b[k]);
    }
}

/* The largest number whose square is at most x, bit by bit; x < 2^62. */
static uint32_t root_of(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 60; bit; bit >>= 2) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)root;
}

/* 2^61 / x, rounded down, by long division; 2^30 <= x < 2^31. */
static uint32_t inverse_of(uint32_t x)
{
    uint32_t quotient = 0, rest = UINT32_C(1) << 30;
    for (int32_t bit = 0; bit < 32; bit++) {
        quotient <<= 1;
        if (rest >= x) {
            rest -= x;
            quotient |= 1;
        }
        rest <<= 1;
    }
    return quotient;
}

void tc_layer_norm(const tc_layer_norm_params *p, const int16_t *input, int16_t *output)
{
    const int32_t n = p->units;
    for (int32_t gate = 0, o = 0; gate < p->gates; gate++, input += n) {
        int32_t sum = 0, shift = 46;
        uint64_t squares = 0;
        for (int32_t i = 0; i < n; i++) {
            sum += input[i];
            squares += (uint32_t)(input[i] * input[i]);
        }
        /* (n * standard deviation)^2 exactly, brought to 61 or 62 bits; its root then has 31. */
        uint64_t spread = (uint32_t)n * squares - (uint64_t)((int64_t)sum * sum) + (uint64_t)p->epsilon;
        for (; spread < UINT64_C(1) << 60; spread <<= 2)
            shift--;
        const int64_t inverse = inverse_of(root_of(spread));
        for (int32_t i = 0; i < n; i++, o++) {
            const int32_t normal = tc_round_shift((n * input[i] - sum) * inverse, shift); /* Q15 */
            output[o] = tc_clamp16((int64_t)tc_requantize(normal, p->multiplier[o], p->shift[o]) + p->bias[o]);
        }
    }
}

/* At most 12 bits after the point to exactly 12, as tc_sigmoid and tc_tanh take them. */
static inline int32_t to_curve(int32_t x, int32_t bits) { return tc_clamp16(x * (1 << (12 - bits))); }

static inline int32_t halved(int32_t x, int32_t shift) { return (x + (1 << (shift - 1))) >> shift; }

/* f c + i tanh(g), with the bits of c. */
static inline int16_t mixed(const tc_cell_params *p, int32_t f, int32_t c, int32_t i, int32_t g)
{
    const int32_t sum = halved(f * c + halved(i * tc_tanh(g), 15 - p->bits), 15);
    return (int16_t)(sum > p->limit ? p->limit : sum < -p->limit ? -p->limit : sum);
}

void tc_lstm_cell(const tc_cell_params *p, const int16_t *gates, const int16_t *cell, int16_t *output)
{
    const int16_t *g = gates, *i = g + p->units, *f = i + p->units;
    for (int32_t u = 0; u < p->units; u++)
        output[u] = mixed(p, tc_sigmoid(f[u]), cell[u], tc_sigmoid(i[u]), g[u]);
}

void tc_cifg_cell(const tc_cell_params *p, const int16_t *gates, const int16_t *cell, int16_t *output)
{
    const int16_t *g = gates, *f = g + p->units;
    for (int32_t u = 0; u < p->units; u++) {
        const int32_t keep = tc_sigmoid(f[u]);
        output[u] = mixed(p, keep, cell[u], 32768 - keep, g[u]);
    }
}

void tc_sru_cell(const tc_cell_params *p, const int16_t *gates, const int16_t *cell, int16_t *output)
{
    const int16_t *g = gates, *f = g + 2 * p->units;
    for (int32_t u = 0; u < p->units; u++) {
        const int32_t keep = tc_sigmoid(to_curve(f[u], p->bits));
        output[u] = (int16_t)halved(keep * cell[u] + (32768 - keep) * g[u], 15);
    }
}

void tc_gated_output(const tc_cell_output_params *p, const int16_t *gates, const int16_t *cell, int8_t *output)
{
    const int16_t *o = gates + (p->gates - 1) * p->units;
    for (int32_t u = 0; u < p->units; u++) {
        const int32_t h = tc_sigmoid(o[u]) * tc_tanh(to_curve(cell[u], p->bits)); /* Q30 */
        output[u] = tc_clamp(tc_requantize(h, p->multiplier, p->shift) + p->zero_point, -128, 127);
    }
}

void tc_highway_output(const tc_cell_output_params *p, const int16_t *gates, const int16_t *cell, int8_t *output)
{
    const int16_t *n = gates + p->units, *r = n + 2 * p->units;
    for (int32_t u = 0; u < p->units; u++) {
        const int32_t share = tc_sigmoid(to_curve(r[u], p->bits)), tanh_c = tc_tanh(to_curve(cell[u], p->bits));
        const int32_t h = halved(share * tanh_c, 15 - p->bits) + (32768 - share) * n[u]; /* 15 + bits after the point */
        output[u] = tc_clamp(tc_requantize(h, p->multiplier, p->shift) + p->zero_point, -128, 127);
    }
}

void tc_tanh8(const tc_tanh8_params *p, const int16_t *input, int8_t *output)
{
    for (int32_t i = 0; i < p->count; i++)
        output[i] = tc_clamp(halved(tc_tanh(input[i]), 8), -128, 127);
}
