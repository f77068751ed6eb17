/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolution, pooling, addition and lookup for a Cortex-M4, mostly on four channels at a time: one word of the map. Where
 * channels are no multiple of four, the last word begins before the end of the word before it: some outputs are computed twice. */
#include "dsp.h"
#if TC_DSP

/* A window's taps inside the map: where the first lies in the map, and which of the window's rows and columns they are. */
typedef struct {
    const int8_t *input;
    tc_range rows, columns;
} place;

/* As tc_inside, quicker where all taps are inside, as they mostly are. */
TC_INLINE tc_range inside(int32_t start, int32_t taps, int32_t dilation, int32_t size)
{
    const tc_range all = {0, taps};
    return start >= 0 && start + (taps - 1) * dilation < size ? all : tc_inside(start, taps, dilation, size);
}

TC_INLINE place find(const tc_window *w, const int8_t *input, int32_t oy, int32_t ox)
{
    const int32_t y = oy * w->stride_height - w->padding_top, x = ox * w->stride_width - w->padding_left;
    place at = {input, inside(y, w->kernel_height, w->dilation_height, w->input.height),
                inside(x, w->kernel_width, w->dilation_width, w->input.width)};
    const int32_t row = y + at.rows.first * w->dilation_height, column = x + at.columns.first * w->dilation_width;
    at.input += (row * w->input.width + column) * w->input.channels;
    return at;
}

/* Where a word of four channels begins: at `channel`, or before it at the end of the map. */
TC_INLINE int32_t begin(int32_t channel, int32_t channels) { return channel + 4 <= channels ? channel : channels - 4; }

/* The taps of a window inside the map; how far on the next row begins, in map and weights, after the last tap of a row; and, in both
 * halves, what is added to an input. */
typedef struct {
    int32_t rows, columns, next_in_map, next_in_weights;
    int32_t channels, zero;
} walk;

/* Sums of four channels, from their biases; x is the first tap, w its weights. The loops are written out, as compilers run out of
 * registers. Tap and weights are the same number of bytes apart all along a row, so one pointer serves both. */
static TC_ALONE void add_taps(const walk *k, const int8_t *x, const int8_t *w, const int32_t *bias, int32_t *sum)
{
    const int32_t channels = k->channels, zero = k->zero;
    int32_t a = bias[0], b = bias[1], c = bias[2], d = bias[3], rows = k->rows;

#if defined(__ARM_FEATURE_DSP)
    int32_t apart = (int32_t)w - (int32_t)x, left = (int32_t)k, weights, pair, factors;
    if (rows > 0 && k->columns > 0)
        __asm__ volatile("push {%[left]}\n" /* k; below it, while a row is walked, the rows that are left */
                         "1: ldr %[left], [%[left], #4]\n"
                         "push {%[four]}\n"
                         "2: ldr %[four], [%[x]]\n"
                         "ldr %[weights], [%[x], %[apart]]\n"
                         "add %[x], %[channels]\n"
                         "sxtab16 %[pair], %[zero], %[four]\n"
                         "sxtb16 %[factors], %[weights]\n"
                         "smlabb %[a], %[pair], %[factors], %[a]\n"
                         "smlatt %[c], %[pair], %[factors], %[c]\n"
                         "sxtab16 %[pair], %[zero], %[four], ror #8\n"
                         "sxtb16 %[factors], %[weights], ror #8\n"
                         "smlabb %[b], %[pair], %[factors], %[b]\n"
                         "smlatt %[d], %[pair], %[factors], %[d]\n"
                         "subs %[left], #1\n"
                         "bne 2b\n"
                         "pop {%[four]}\n"
                         "ldr %[left], [sp]\n"
                         "ldr %[pair], [%[left], #8]\n"
                         "ldr %[factors], [%[left], #12]\n"
                         "add %[x], %[pair]\n"
                         "sub %[factors], %[pair]\n"
                         "add %[apart], %[factors]\n"
                         "subs %[four], #1\n"
                         "bne 1b\n"
                         "add sp, #4\n"
                         : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [x] "+r"(x), [apart] "+r"(apart), [left] "+r"(left),
                           [four] "+r"(rows), [weights] "=&r"(weights), [pair] "=&r"(pair), [factors] "=&r"(factors)
                         : [zero] "r"(zero), [channels] "r"(channels)
                         : "cc", "memory");
#else
    for (; rows > 0; rows--, x += k->next_in_map, w += k->next_in_weights) {
        for (int32_t left = k->columns; left > 0; left--, x += channels, w += channels) {
            const int32_t four = tc_load(x), even = tc_add_even(zero, four), odd = tc_add_odd(zero, four), weights = tc_load(w);
            a += tc_low(even) * tc_low(tc_even(weights));
            b += tc_low(odd) * tc_low(tc_odd(weights));
            c += tc_high(even) * tc_high(tc_even(weights));
            d += tc_high(odd) * tc_high(tc_odd(weights));
        }
    }
#endif
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
}

/* Four channels from sums to int8. What no store can change is copied, so that the compiler keeps it in registers. */
TC_INLINE void finish(const tc_dense_params *p, int32_t c, const int32_t *sum, int32_t full, int8_t *output)
{
    const int32_t *multiplier = p->multiplier + c;
    const int8_t *shift = p->shift + c;
    const tc_activation limits = p->activation;
    output += c;
    output[0] = tc_limit(tc_rescaled(sum[0], multiplier[0], shift[0]) + limits.zero_point, &limits, full);
    output[1] = tc_limit(tc_rescaled(sum[1], multiplier[1], shift[1]) + limits.zero_point, &limits, full);
    output[2] = tc_limit(tc_rescaled(sum[2], multiplier[2], shift[2]) + limits.zero_point, &limits, full);
    output[3] = tc_limit(tc_rescaled(sum[3], multiplier[3], shift[3]) + limits.zero_point, &limits, full);
}

/* A 1x1 window: every channel is a factor and a bias. So one channel after the other, each at all positions: its constants stay in
 * registers. */
TC_INLINE void single_taps(const tc_dense_params *p, int32_t zero_point, int32_t size, const int8_t *input, int32_t full, int8_t *output)
{
    const int32_t channels = p->outputs;
    for (int32_t c = 0; c < channels; c++) {
        const int32_t weight = p->weight[c], bias = p->bias[c] - zero_point * weight, multiplier = p->multiplier[c], shift = p->shift[c];
        const tc_activation limits = p->activation;
        for (int32_t i = c; i < size; i += channels)
            output[i] = tc_limit(tc_rescaled(input[i] * weight + bias, multiplier, shift) + limits.zero_point, &limits, full);
    }
}

static int32_t is_single(const tc_window *w)
{
    return w->kernel_height * w->kernel_width == 1 && w->padding_top == 0 && w->padding_left == 0 &&
           w->stride_height * w->stride_width == 1 && w->input.height == w->output.height && w->input.width == w->output.width;
}

void tc_depthwise(const tc_depthwise_params *p, const int8_t *input, int8_t *output)
{
    const tc_window *w = &p->window;
    const int32_t channels = w->output.channels, row = w->dilation_height * w->input.width;
    const int32_t zero = tc_pack(-w->input_zero_point, -w->input_zero_point), full = tc_is_full(&p->dense.activation);

    if (p->channel_multiplier == 1 && is_single(w)) {
        const int32_t size = w->output.height * w->output.width * channels;
        if (full)
            single_taps(&p->dense, w->input_zero_point, size, input, 1, output);
        else
            single_taps(&p->dense, w->input_zero_point, size, input, 0, output);
        return;
    }
    if (p->channel_multiplier != 1 || channels < 4 || w->dilation_width != 1) {
        tc_depthwise_plain(p, input, output);
        return;
    }
    for (int32_t oy = 0; oy < w->output.height; oy++) {
        for (int32_t ox = 0; ox < w->output.width; ox++, output += channels) {
            const place at = find(w, input, oy, ox);
            const int8_t *weight = p->dense.weight + (at.rows.first * w->kernel_width + at.columns.first) * channels;
            const int32_t rows = at.rows.last - at.rows.first, columns = at.columns.last - at.columns.first;
            const walk k = {rows, columns, (row - columns) * channels, (w->kernel_width - columns) * channels, channels, zero};
            for (int32_t channel = 0; channel < channels; channel += 4) {
                const int32_t c = begin(channel, channels);
                int32_t sum[4];
                add_taps(&k, at.input + c, weight + c, p->dense.bias + c, sum);
                if (full)
                    finish(&p->dense, c, sum, 1, output);
                else
                    finish(&p->dense, c, sum, 0, output);
            }
        }
    }
}

void tc_max_pool(const tc_pool_params *p, const int8_t *input, int8_t *output)
{
    const tc_window *w = &p->window;
    const int32_t channels = w->input.channels, row = w->input.width * channels;

    if (channels < 4 || !tc_is_full(&p->activation)) {
        tc_max_pool_plain(p, input, output);
        return;
    }
    for (int32_t oy = 0; oy < w->output.height; oy++) {
        for (int32_t ox = 0; ox < w->output.width; ox++, output += channels) {
            const place at = find(w, input, oy, ox);
            const int32_t columns = at.columns.last - at.columns.first;
            for (int32_t channel = 0; channel < channels; channel += 4) {
                const int32_t c = begin(channel, channels);
                const int8_t *corner = at.input + c;
                int32_t largest = -2139062144; /* four times -128 */
                for (int32_t rows = at.rows.last - at.rows.first; rows > 0; rows--, corner += row) {
                    const int8_t *x = corner;
                    for (int32_t left = columns; left > 0; left--, x += channels)
                        largest = tc_largest(largest, tc_load(x));
                }
                tc_store(largest, output + c);
            }
        }
    }
}

void tc_average_pool(const tc_pool_params *p, const int8_t *input, int8_t *output)
{
    const tc_window *w = &p->window;
    const int32_t channels = w->input.channels, row = w->input.width * channels, columns = w->kernel_width;
    const int32_t zero = w->kernel_height * columns * w->input_zero_point; /* what a window of zeros sums to */

    if (channels < 4 || columns > 255) { /* so many int8 may be added in 16 bits */
        tc_average_pool_plain(p, input, output);
        return;
    }
    for (int32_t oy = 0; oy < w->output.height; oy++) {
        for (int32_t ox = 0; ox < w->output.width; ox++, output += channels) {
            for (int32_t channel = 0; channel < channels; channel += 4) {
                const int32_t c = begin(channel, channels);
                const int8_t *corner = input + oy * w->stride_height * row + ox * w->stride_width * channels + c;
                int32_t sum[4] = {-zero, -zero, -zero, -zero};
                for (int32_t rows = w->kernel_height; rows > 0; rows--, corner += row) {
                    const int8_t *x = corner;
                    int32_t even = 0, odd = 0;
                    for (int32_t left = columns; left > 0; left--, x += channels) {
                        const int32_t four = tc_load(x);
                        even = tc_add_even(even, four);
                        odd = tc_add_odd(odd, four);
                    }
                    sum[0] += tc_low(even);
                    sum[1] += tc_low(odd);
                    sum[2] += tc_high(even);
                    sum[3] += tc_high(odd);
                }
                for (int32_t i = 0; i < 4; i++) {
                    const int32_t mean = tc_requantize(sum[i], p->multiplier, p->shift) + p->activation.zero_point;
                    output[c + i] = tc_clamp(mean, p->activation.minimum, p->activation.maximum);
                }
            }
        }
    }
}

/* Whether an input of this step has the output's shape, so that nothing is read twice. */
static int32_t is_whole(const tc_stride *step, const tc_shape *shape)
{
    return (step->height == shape->width * shape->channels || shape->height == 1) &&
           (step->width == shape->channels || shape->width == 1) && (step->channels == 1 || shape->channels == 1);
}

/* As for single taps, one channel after the other. */
TC_INLINE void add_maps(const tc_add_params *p, const int8_t *a, const int8_t *b, int32_t full, int8_t *output)
{
    const int32_t channels = p->output.channels, size = p->output.height * p->output.width * channels;
    for (int32_t c = 0; c < channels; c++) {
        const int32_t of_a = p->multiplier_a[c], of_b = p->multiplier_b[c], bias = p->bias[c], shift = p->shift[c];
        const tc_activation limits = p->activation;
        for (int32_t i = c; i < size; i += channels)
            output[i] = tc_limit(((a[i] * of_a + b[i] * of_b + bias) >> shift) + limits.zero_point, &limits, full);
    }
}

/* The first input of these parameters has one column, which stands for all: its share of a sum is computed once for each row. */
TC_INLINE void add_rows(const tc_add_params *p, const int8_t *rows, const int8_t *map, int32_t full, int8_t *output)
{
    const int32_t channels = p->output.channels, width = p->output.width * channels;
    for (int32_t c = 0; c < channels; c++) {
        const int32_t of_map = p->multiplier_b[c], shift = p->shift[c];
        const tc_activation limits = p->activation;
        const int8_t *row = rows + c * p->stride_a.channels;
        for (int32_t y = 0, i = c; y < p->output.height; y++, row += p->stride_a.height) {
            const int32_t share = *row * p->multiplier_a[c] + p->bias[c];
            for (const int32_t end = i + width; i < end; i += channels)
                output[i] = tc_limit(((map[i] * of_map + share) >> shift) + limits.zero_point, &limits, full);
        }
    }
}

/* If one input has the output's shape, it is the second. */
static void add_in_order(const tc_add_params *p, const int8_t *a, const int8_t *b, int32_t whole_a, int32_t whole_b, int8_t *output)
{
    const int32_t full = tc_is_full(&p->activation);
    if (!whole_b || (!whole_a && p->stride_a.width != 0))
        tc_add_plain(p, a, b, output);
    else if (whole_a && full)
        add_maps(p, a, b, 1, output);
    else if (whole_a)
        add_maps(p, a, b, 0, output);
    else if (full)
        add_rows(p, a, b, 1, output);
    else
        add_rows(p, a, b, 0, output);
}

void tc_add(const tc_add_params *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    const int32_t whole_a = is_whole(&p->stride_a, &p->output), whole_b = is_whole(&p->stride_b, &p->output);
    if (whole_a) {
        tc_add_params turned = *p;
        turned.stride_a = p->stride_b, turned.multiplier_a = p->multiplier_b;
        turned.stride_b = p->stride_a, turned.multiplier_b = p->multiplier_a;
        add_in_order(&turned, b, a, whole_b, whole_a, output);
    } else
        add_in_order(p, a, b, whole_a, whole_b, output);
}

/* Four at a time, so that counting costs less. */
void tc_lookup(const tc_lookup_params *p, const int8_t *input, int8_t *output)
{
    const int8_t *const table = p->table + 128;
    const int32_t count = p->count;

    for (int32_t left = count >> 2; left > 0; left--, input += 4, output += 4) {
        output[0] = table[input[0]];
        output[1] = table[input[1]];
        output[2] = table[input[2]];
        output[3] = table[input[3]];
    }
    for (int32_t left = count & 3; left > 0; left--)
        *output++ = table[*input++];
}

#endif
