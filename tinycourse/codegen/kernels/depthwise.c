/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolution: every output channel sees one input channel. The map is read in place and padding, which means 0,
 * is left out; so the zero point is subtracted here instead of being folded into the bias. */
#include "kernels.h"

/* A window: `corner` is the index in the map where it begins, rows and columns are its taps inside the map. */
typedef struct {
    int32_t corner;
    tc_range rows, columns;
} place;

/* Outputs o to o + 3; the first sees `channel`, the others the channels that lie second, third and fourth after it. */
TC_INLINE void four_outputs(const tc_depthwise_params *p, const int8_t *input, place at, int32_t channel, int32_t o,
                            int32_t second, int32_t third, int32_t fourth, int8_t *output)
{
    const tc_dense_params *d = &p->dense;
    const int32_t zero_point = p->window.input_zero_point;
    const int32_t column = p->window.dilation_width * p->window.input.channels;
    const int32_t row = p->window.dilation_height * p->window.input.width * p->window.input.channels;
    int32_t sum0 = d->bias[o], sum1 = d->bias[o + 1], sum2 = d->bias[o + 2], sum3 = d->bias[o + 3];

    for (int32_t ky = at.rows.first; ky < at.rows.last; ky++) {
        for (int32_t kx = at.columns.first; kx < at.columns.last; kx++) {
            const int8_t *x = input + at.corner + ky * row + kx * column + channel;
            const int8_t *w = d->weight + (ky * p->window.kernel_width + kx) * d->outputs + o;
            sum0 += (x[0] - zero_point) * w[0];
            sum1 += (x[second] - zero_point) * w[1];
            sum2 += (x[third] - zero_point) * w[2];
            sum3 += (x[fourth] - zero_point) * w[3];
        }
    }
    output[o] = tc_dense_output(d, o, sum0);
    output[o + 1] = tc_dense_output(d, o + 1, sum1);
    output[o + 2] = tc_dense_output(d, o + 2, sum2);
    output[o + 3] = tc_dense_output(d, o + 3, sum3);
}

#if TC_WIDE
/* TC_LANES outputs from o on, each of a channel of its own: the compiler makes vectors of them. */
static void wide_outputs(const tc_depthwise_params *p, const int8_t *input, place at, int32_t o, int8_t *output)
{
    const tc_dense_params *d = &p->dense;
    const int32_t zero_point = p->window.input_zero_point;
    const int32_t column = p->window.dilation_width * p->window.input.channels;
    const int32_t row = p->window.dilation_height * p->window.input.width * p->window.input.channels;
    int32_t sum[TC_LANES];

    for (int32_t i = 0; i < TC_LANES; i++)
        sum[i] = d->bias[o + i];
    for (int32_t ky = at.rows.first; ky < at.rows.last; ky++) {
        for (int32_t kx = at.columns.first; kx < at.columns.last; kx++) {
            const int8_t *x = input + at.corner + ky * row + kx * column + o;
            const int8_t *w = d->weight + (ky * p->window.kernel_width + kx) * d->outputs + o;
            for (int32_t i = 0; i < TC_LANES; i++)
                sum[i] += (x[i] - zero_point) * w[i];
        }
    }
    tc_wide_output(d, o, sum, output);
}
#endif

static void one_output(const tc_depthwise_params *p, const int8_t *input, place at, int32_t channel, int32_t o, int8_t *output)
{
    const tc_dense_params *d = &p->dense;
    const int32_t column = p->window.dilation_width * p->window.input.channels;
    const int32_t row = p->window.dilation_height * p->window.input.width * p->window.input.channels;
    int32_t sum = d->bias[o];

    for (int32_t ky = at.rows.first; ky < at.rows.last; ky++) {
        for (int32_t kx = at.columns.first; kx < at.columns.last; kx++) {
            const int32_t x = input[at.corner + ky * row + kx * column + channel] - p->window.input_zero_point;
            sum += x * d->weight[(ky * p->window.kernel_width + kx) * d->outputs + o];
        }
    }
    output[o] = tc_dense_output(d, o, sum);
}

static void one_position(const tc_depthwise_params *p, const int8_t *input, place at, int8_t *output)
{
    const int32_t outputs = p->dense.outputs;
    int32_t channel = 0, o = 0;

#if TC_WIDE
    if (p->channel_multiplier == 1)
        for (; o + TC_LANES <= outputs; o += TC_LANES, channel += TC_LANES)
            wide_outputs(p, input, at, o, output);
#endif
    /* Four at a time while there are four, for the usual one or two outputs of each channel. */
    if (p->channel_multiplier == 1)
        for (; o + 4 <= outputs; o += 4, channel += 4)
            four_outputs(p, input, at, channel, o, 1, 2, 3, output);
    if (p->channel_multiplier == 2)
        for (; o + 4 <= outputs; o += 4, channel += 2)
            four_outputs(p, input, at, channel, o, 0, 1, 1, output);
    for (; o < outputs; channel++)
        for (int32_t copy = 0; copy < p->channel_multiplier; copy++, o++)
            one_output(p, input, at, channel, o, output);
}

void TC_PLAIN(tc_depthwise)(const tc_depthwise_params *p, const int8_t *input, int8_t *output)
{
    const tc_window *w = &p->window;

    for (int32_t oy = 0; oy < w->output.height; oy++) {
        const int32_t y = oy * w->stride_height - w->padding_top;
        const tc_range rows = tc_inside(y, w->kernel_height, w->dilation_height, w->input.height);
        for (int32_t ox = 0; ox < w->output.width; ox++) {
            const int32_t x = ox * w->stride_width - w->padding_left;
            const tc_range columns = tc_inside(x, w->kernel_width, w->dilation_width, w->input.width);
            const place at = {(y * w->input.width + x) * w->input.channels, rows, columns};
            one_position(p, input, at, output);
            output += w->output.channels;
        }
    }
}
