/* SPDX-License-Identifier: Apache-2.0
 * Max and average pooling. */
#include "kernels.h"

void TC_PLAIN(tc_max_pool)(const tc_pool_params *p, const int8_t *input, int8_t *output)
{
    const tc_window *w = &p->window;
    const int32_t channels = w->input.channels, row = w->input.width * channels;

    for (int32_t oy = 0; oy < w->output.height; oy++) {
        const int32_t y = oy * w->stride_height - w->padding_top;
        const tc_range rows = tc_inside(y, w->kernel_height, 1, w->input.height);
        for (int32_t ox = 0; ox < w->output.width; ox++) {
            const int32_t x = ox * w->stride_width - w->padding_left;
            const tc_range columns = tc_inside(x, w->kernel_width, 1, w->input.width);
            for (int32_t c = 0; c < channels; c++) {
                int32_t largest = -128;
                for (int32_t ky = rows.first; ky < rows.last; ky++) {
                    for (int32_t kx = columns.first; kx < columns.last; kx++) {
                        const int32_t value = input[(y + ky) * row + (x + kx) * channels + c];
                        largest = value > largest ? value : largest;
                    }
                }
                *output++ = tc_clamp(largest, p->activation.minimum, p->activation.maximum);
            }
        }
    }
}

void TC_PLAIN(tc_average_pool)(const tc_pool_params *p, const int8_t *input, int8_t *output)
{
    const tc_window *w = &p->window;
    const int32_t channels = w->input.channels, row = w->input.width * channels;
    const int32_t zero = w->kernel_height * w->kernel_width * w->input_zero_point; /* what a window of zeros sums to */

    for (int32_t oy = 0; oy < w->output.height; oy++) {
        for (int32_t ox = 0; ox < w->output.width; ox++) {
            const int8_t *corner = input + oy * w->stride_height * row + ox * w->stride_width * channels;
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = -zero;
                for (int32_t ky = 0; ky < w->kernel_height; ky++)
                    for (int32_t kx = 0; kx < w->kernel_width; kx++)
                        sum += corner[ky * row + kx * channels + c];
                const int32_t mean = tc_requantize(sum, p->multiplier, p->shift) + p->activation.zero_point;
                *output++ = tc_clamp(mean, p->activation.minimum, p->activation.maximum);
            }
        }
    }
}
