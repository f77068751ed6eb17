/* SPDX-License-Identifier: Apache-2.0
 * Convolution with any kernel, stride, padding, dilation and groups: at each position the window is copied into one
 * contiguous column, and what is left is a product like that of a fully connected layer ("im2col", one column at a time). */
#include "gather.h"

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
