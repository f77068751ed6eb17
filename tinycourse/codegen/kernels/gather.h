/* SPDX-License-Identifier: Apache-2.0
 * One window of a map in a row: what a convolution multiplies. */
#ifndef TINYCOURSE_GATHER_H
#define TINYCOURSE_GATHER_H

#include "kernels.h"

/* Copy channels [channel, channel + count) of the window whose corner is (y, x) into column [kernel_height][kernel_width][count];
 * padding is filled with the zero point, which means 0. Taps that lie side by side in the map are copied in one go. */
TC_SHARED void tc_gather(const tc_window *w, int32_t y, int32_t x, int32_t channel, int32_t count, const int8_t *input, int8_t *column)
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

#endif
