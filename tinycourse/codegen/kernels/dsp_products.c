/* SPDX-License-Identifier: Apache-2.0
 * Convolutions for a Cortex-M4, pointwise ones too. One SMLAD does two multiply-adds, but needs its
 * numbers as 16 bits, and everything loaded first. So two positions of a map are worked on together: their inputs are widened
 * once for all outputs, and every weight that is loaded and widened serves both; two outputs at a time, every input serves both. */
#include "dsp.h"
#include "gather.h"
#if TC_DSP

/* Widen the inputs of two positions. Of four inputs, words: the even two at the first position, at the second; the odd two at the
 * first, at the second. The one to three that are left over: a word for each at the first position and at the second. */
static void widen(const int8_t *first, const int8_t *second, int32_t inputs, int32_t *words)
{
    int32_t i = 0;
    for (; i + 4 <= inputs; i += 4, words += 4) {
        const int32_t a = tc_load(first + i), b = tc_load(second + i);
        words[0] = tc_even(a);
        words[1] = tc_even(b);
        words[2] = tc_odd(a);
        words[3] = tc_odd(b);
    }
    for (; i < inputs; i++, words += 2) {
        words[0] = first[i];
        words[1] = second[i];
    }
}

/* Sums of two outputs at two positions of widened inputs x, from their biases: of the first output at both, then of the second.
 * Here most of the time goes. The loop needs 13 registers of 14, and compilers run out of them, so it is written out. */
static TC_ALONE void add_two_by_two(const int8_t *w, int32_t inputs, const int32_t *x, const int32_t *bias, int32_t *sums)
{
    int32_t a = bias[0], b = a, c = bias[1], d = c;
    int32_t fours = inputs >> 2;

#if defined(__ARM_FEATURE_DSP)
    int32_t w0, w1, x0, x1, pair;
    if (fours > 0)
        __asm__ volatile("1: ldr %[w1], [%[w], %[inputs]]\n"
                         "ldr %[w0], [%[w]], #4\n"
                         "ldrd %[x0], %[x1], [%[x]], #8\n"
                         "sxtb16 %[pair], %[w0]\n"
                         "smlad %[a], %[x0], %[pair], %[a]\n"
                         "smlad %[b], %[x1], %[pair], %[b]\n"
                         "sxtb16 %[pair], %[w1]\n"
                         "smlad %[c], %[x0], %[pair], %[c]\n"
                         "smlad %[d], %[x1], %[pair], %[d]\n"
                         "ldrd %[x0], %[x1], [%[x]], #8\n"
                         "sxtb16 %[w0], %[w0], ror #8\n"
                         "smlad %[a], %[x0], %[w0], %[a]\n"
                         "smlad %[b], %[x1], %[w0], %[b]\n"
                         "sxtb16 %[w1], %[w1], ror #8\n"
                         "smlad %[c], %[x0], %[w1], %[c]\n"
                         "smlad %[d], %[x1], %[w1], %[d]\n"
                         "subs %[fours], #1\n"
                         "bne 1b\n"
                         : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [w] "+r"(w), [x] "+r"(x), [fours] "+r"(fours),
                           [w0] "=&r"(w0), [w1] "=&r"(w1), [x0] "=&r"(x0), [x1] "=&r"(x1), [pair] "=&r"(pair)
                         : [inputs] "r"(inputs)
                         : "cc", "memory");
#else
    for (; fours > 0; fours--, w += 4, x += 4) {
        const int32_t w0 = tc_load(w), w1 = tc_load(w + inputs);
        a = tc_dot(x[2], tc_odd(w0), tc_dot(x[0], tc_even(w0), a));
        b = tc_dot(x[3], tc_odd(w0), tc_dot(x[1], tc_even(w0), b));
        c = tc_dot(x[2], tc_odd(w1), tc_dot(x[0], tc_even(w1), c));
        d = tc_dot(x[3], tc_odd(w1), tc_dot(x[1], tc_even(w1), d));
    }
#endif
    for (int32_t left = inputs & 3; left > 0; left--, w++, x += 2) {
        a += x[0] * w[0];
        b += x[1] * w[0];
        c += x[0] * w[inputs];
        d += x[1] * w[inputs];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

/* From sums at two positions to output o at both. */
TC_INLINE void finish(int32_t multiplier, int32_t shift, const tc_activation *limits, const int32_t *sums, int32_t full, int8_t *y, int8_t *z)
{
    int32_t first, second;
    if (shift >= 33) {
        first = tc_rescale(sums[0], multiplier, shift);
        second = tc_rescale(sums[1], multiplier, shift);
    } else {
        first = tc_requantize(sums[0], multiplier, shift);
        second = tc_requantize(sums[1], multiplier, shift);
    }
    *y = tc_limit(first + limits->zero_point, limits, full);
    *z = tc_limit(second + limits->zero_point, limits, full);
}

/* Outputs [first, last), at least two, at two positions. Of an odd number the last but one is computed twice. What no store can change is
 * copied, so that the compiler keeps it in registers. */
TC_INLINE void all_outputs(const tc_dense_params *p, int32_t first, int32_t last, const int32_t *x, int32_t full, int8_t *y, int8_t *z)
{
    const tc_activation limits = p->activation;
    int32_t sums[4];
    for (int32_t next = first; next < last; next += 2) {
        const int32_t o = next + 2 <= last ? next : last - 2;
        const int32_t *multiplier = p->multiplier + o;
        const int8_t *shift = p->shift + o;
        add_two_by_two(p->weight + o * p->inputs, p->inputs, x, p->bias + o, sums);
        finish(multiplier[0], shift[0], &limits, sums, full, y + o, z + o);
        finish(multiplier[1], shift[1], &limits, sums + 2, full, y + o + 1, z + o + 1);
    }
}

static void two_positions(const tc_dense_params *p, int32_t first, int32_t last, const int32_t *x, int8_t *y, int8_t *z)
{
    if (tc_is_full(&p->activation))
        all_outputs(p, first, last, x, 1, y, z);
    else
        all_outputs(p, first, last, x, 0, y, z);
}

void tc_pointwise(const tc_linear_params *p, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const int32_t inputs = p->dense.inputs, outputs = p->dense.outputs;
    int32_t *const words = (int32_t *)(void *)scratch; /* the arena is aligned */
    int32_t row = 0;

    for (; outputs >= 2 && row + 2 <= p->rows; row += 2, input += 2 * inputs, output += 2 * outputs) {
        widen(input, input + inputs, inputs, words);
        two_positions(&p->dense, 0, outputs, words, output, output + outputs);
    }
    for (; row < p->rows; row++, input += inputs, output += outputs)
        tc_dense(&p->dense, 0, outputs, input, output);
}

/* tc_gather, quicker where the whole window lies inside the map and its rows are in one piece, as most are. */
static void gather_fast(const tc_window *w, int32_t y, int32_t x, int32_t channel, int32_t count, const int8_t *input, int8_t *column)
{
    const int32_t channels = w->input.channels, row = w->input.width * channels, bytes = w->kernel_width * channels;
    const int32_t inside = y >= 0 && x >= 0 && y + w->kernel_height <= w->input.height && x + w->kernel_width <= w->input.width;

    if (!inside || count != channels || w->dilation_height != 1 || w->dilation_width != 1) {
        tc_gather(w, y, x, channel, count, input, column);
        return;
    }
    input += y * row + x * channels;
    for (int32_t ky = w->kernel_height; ky > 0; ky--, input += row, column += bytes) {
        int32_t i = 0;
        for (; i + 4 <= bytes; i += 4)
            tc_store(tc_load(input + i), column + i);
        for (; i < bytes; i++)
            column[i] = input[i];
    }
}

void tc_conv(const tc_conv_params *p, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const tc_window *w = &p->window;
    const int32_t size = p->dense.inputs, inputs = p->group_inputs, outputs = p->group_outputs, channels = w->output.channels;
    const int32_t positions = w->output.height * w->output.width;
    int32_t *const words = (int32_t *)(void *)scratch; /* the arena is aligned */
    int8_t *const first = scratch + 4 * (size + size % 4), *const second = first + size;

    if (outputs < 2) {
        tc_conv_plain(p, input, output, scratch);
        return;
    }
    for (int32_t n = 0, y = 0, x = 0; n < positions; n += 2, output += 2 * channels) {
        const int32_t ay = y * w->stride_height - w->padding_top, ax = x * w->stride_width - w->padding_left;
        if (++x == w->output.width)
            x = 0, y++;
        const int32_t by = y * w->stride_height - w->padding_top, bx = x * w->stride_width - w->padding_left;
        if (++x == w->output.width)
            x = 0, y++;
        for (int32_t group = 0; group < p->groups; group++) {
            const int32_t o = group * outputs, last = n + 1 == positions;
            gather_fast(w, ay, ax, group * inputs, inputs, input, first);
            if (last) {
                tc_dense(&p->dense, o, o + outputs, first, output);
            } else {
                gather_fast(w, by, bx, group * inputs, inputs, input, second);
                widen(first, second, size, words);
                two_positions(&p->dense, o, o + outputs, words, output, output + channels);
            }
        }
    }
}

#endif
