/* SPDX-License-Identifier: Apache-2.0
 * Convolution with any kernel, stride, padding, dilation and groups: at each position the window is copied into one
 * contiguous column, and what is left is a product like that of a fully connected layer ("im2col", one column at a time). */
#include "kernels.h"

/* Copy channels [channel, channel + count) of the window whose corner is (y, x) into column [kernel_height][kernel_width][count];
 * padding is filled with the zero point, which means 0. Taps that lie side by side in the map are copied in one go. */
void tc_gather(const tc_window *w, int32_t y, int32_t x, int32_t channel, int32_t count, const int8_t *input, int8_t *column)
{
    const int32_t channels = w->input.channels, whole = w->dilation_width == 1 && count == channels;
    const tc_range inside = tc_inside(x, w->kernel_width, w->dilation_width, w->input.width);
    const int32_t taps = inside.last - inside.first, step = w->dilation_width * channels;

    for (int32_t ky = 0; ky < w->kernel_height; ky++, y += w->dilation_height) {
        if (y < 0 || y >= w->input.height || taps == 0) {
            column = tc_fill(w->input_zero_point, w->kernel_width * count, column);
            continue;
        }
        const int8_t *tap = input + (y * w->input.width + x + inside.first * w->dilation_width) * channels + channel;
        column = tc_fill(w->input_zero_point, inside.first * count, column);
        for (int32_t kx = 0; kx < (whole ? 1 : taps); kx++, tap += step)
            column = tc_copy(tap, whole ? taps * count : count, column);
        column = tc_fill(w->input_zero_point, (w->kernel_width - inside.last) * count, column);
    }
}

void TC_PLAIN(tc_conv)(const tc_conv_params *p, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const tc_window *w = &p->window;
    const int32_t inputs = p->group_inputs, outputs = p->group_outputs;

    for (int32_t oy = 0; oy < w->output.height; oy++) {
        const int32_t y = oy * w->stride_height - w->padding_top;
        for (int32_t ox = 0; ox < w->output.width; ox++) {
            const int32_t x = ox * w->stride_width - w->padding_left;
            for (int32_t group = 0; group < p->groups; group++) {
                tc_gather(w, y, x, group * inputs, inputs, input, scratch);
                tc_dense(&p->dense, group * outputs, (group + 1) * outputs, scratch, output);
            }
            output += w->output.channels;
        }
    }
}
